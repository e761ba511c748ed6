from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from api.gateway.errors import EndedSessionsUnknown
from api.gateway.revocations import FETCH_SECONDS, OVERLAP, POLL_SECONDS, Revocations
from contracts.auth import ENDED_SESSIONS_KEPT_SECONDS, EndedSession, EndedSessions
from contracts.errors import Kind, Refusal, Refused, Unavailable

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


PAGE = 2


class Auth:
    """What has ended, as auth tells it; with the clocks of both sides to move together."""

    def __init__(self) -> None:
        self.ended: dict[str, datetime] = {}
        self.now = START
        self.asked: list[tuple[datetime | None, str | None]] = []
        self.pages_before_it_is_down = 1_000_000
        self.takes_cursors = True
        self.on_page: Callable[[], None] = lambda: None
        self.retired: frozenset[str] = frozenset()
        self.retired_at_the_edge: set[str] = set()
        self.edge = Revocations(
            self.fetch, self.retired_at_the_edge.update, now=lambda: (self.now - START).total_seconds()
        )

    async def fetch(self, after: datetime | None, cursor: str | None) -> EndedSessions:
        self.asked.append((after, cursor))
        if self.pages_before_it_is_down == 0:
            raise Unavailable("down")
        self.pages_before_it_is_down -= 1
        if cursor is not None and not self.takes_cursors:
            raise Refused(Refusal(code="request.invalid_cursor", kind=Kind.INVALID, detail="not of ours"))
        position = tuple((cursor or "").split()) or ("", "")
        found = sorted(
            (at.isoformat(), session) for session, at in self.ended.items() if after is None or at > after
        )
        rest = [item for item in found if item > position]
        page = EndedSessions(
            items=tuple(
                EndedSession(session=session, ended_at=datetime.fromisoformat(at))
                for at, session in rest[:PAGE]
            ),
            now=self.now,
            retired_keys=self.retired,
            next_cursor=" ".join(rest[PAGE - 1]) if len(rest) > PAGE else None,
        )
        self.on_page()
        return page

    def known(self, *sessions: str) -> list[bool]:
        return [self.edge.is_ended(session) for session in sessions]

    def end(self, session: str) -> None:
        self.ended[session] = self.now

    async def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        await self.edge.poll()


@pytest.fixture
def auth() -> Auth:
    return Auth()


async def test_what_ended_before_is_known_from_the_start(auth: Auth) -> None:
    auth.end("one")
    async with auth.edge:
        assert auth.edge.is_ended("one")


async def test_what_ends_later_is_heard(auth: Auth) -> None:
    await auth.edge.poll()
    auth.end("one")
    await auth.pass_time(1)
    assert (auth.edge.is_ended("one"), auth.edge.is_ended("another")) == (True, False)


def test_however_slowly_auth_answers_an_end_is_heard_of_within_five_seconds() -> None:
    assert POLL_SECONDS + 2 * FETCH_SECONDS <= 5


async def test_whoever_has_no_session_has_none_that_ended(auth: Auth) -> None:
    auth.end("one")
    await auth.edge.poll()
    assert not auth.edge.is_ended(None)


async def test_an_end_that_was_committed_late_is_heard(auth: Auth) -> None:
    dated = auth.now
    await auth.pass_time(OVERLAP.total_seconds() - 1)
    auth.ended["late"] = dated
    await auth.pass_time(1)
    assert auth.edge.is_ended("late")


async def test_only_what_is_new_is_asked_for_by_auths_clock(auth: Auth) -> None:
    await auth.edge.poll()
    await auth.pass_time(1)
    assert auth.asked == [(None, None), (START - OVERLAP, None)]


async def test_an_end_here_is_known_at_once(auth: Auth) -> None:
    auth.edge.end("one")
    assert auth.edge.is_ended("one")


async def test_without_auth_it_goes_on_with_what_it_knows_and_catches_up(auth: Auth) -> None:
    auth.end("before")
    await auth.edge.poll()
    auth.pages_before_it_is_down = 0
    auth.end("during")
    await auth.pass_time(3_600)
    assert (auth.edge.is_ended("before"), auth.edge.is_ended("during")) == (True, False)
    auth.pages_before_it_is_down = 1
    await auth.pass_time(1)
    assert auth.edge.is_ended("during")


async def test_it_starts_without_auth_and_says_that_it_is_not_ready(auth: Auth) -> None:
    auth.pages_before_it_is_down = 0
    async with auth.edge:
        assert not auth.edge.is_ended("one")
        with pytest.raises(EndedSessionsUnknown):
            auth.edge.ready()


async def test_it_is_ready_once_it_has_heard_all_and_stays_so(auth: Auth) -> None:
    for name in "abc":
        auth.end(name)
    auth.pages_before_it_is_down = 1
    await auth.edge.poll()
    with pytest.raises(EndedSessionsUnknown):
        auth.edge.ready()
    auth.pages_before_it_is_down = 1
    await auth.pass_time(1)
    auth.edge.ready()
    await auth.pass_time(1)
    auth.edge.ready()


async def test_a_long_answer_is_heard_to_its_end(auth: Auth) -> None:
    for name in "abcdefg":
        auth.end(name)
    await auth.edge.poll()
    assert auth.known(*"abcdefg") == [True] * 7


async def test_what_was_heard_is_kept_when_a_later_page_fails_and_the_rest_comes_then(auth: Auth) -> None:
    for name in "abcde":
        auth.end(name)
    auth.pages_before_it_is_down = 2
    await auth.edge.poll()
    assert auth.known(*"abcde") == [True] * 4 + [False]
    auth.pages_before_it_is_down = 1
    await auth.pass_time(1)
    assert auth.edge.is_ended("e")


async def test_an_end_that_is_committed_behind_a_page_that_was_heard_comes_with_the_next_answer(
    auth: Auth,
) -> None:
    """However long the pages took: an hour, here."""
    auth.now += timedelta(seconds=1)
    for name in "bcd":
        auth.end(name)

    def commit_late() -> None:
        auth.ended.setdefault("late", START)
        auth.now += timedelta(hours=1)

    auth.on_page = commit_late
    await auth.edge.poll()
    assert not auth.edge.is_ended("late")
    await auth.pass_time(1)
    assert auth.edge.is_ended("late")


async def test_an_auth_that_does_not_take_the_others_cursor_is_asked_from_the_beginning(auth: Auth) -> None:
    for name in "abc":
        auth.end(name)
    auth.takes_cursors = False
    await auth.edge.poll()
    assert not auth.edge.is_ended("c")
    auth.takes_cursors = True
    await auth.pass_time(1)
    assert auth.edge.is_ended("c")


async def test_retired_keys_are_heard_with_the_first_page(auth: Auth) -> None:
    for name in "abc":
        auth.end(name)
    auth.retired = frozenset({"old"})
    auth.pages_before_it_is_down = 1
    await auth.edge.poll()
    assert auth.retired_at_the_edge == {"old"}


async def test_an_end_is_forgotten_when_nothing_of_the_session_can_live(auth: Auth) -> None:
    auth.end("one")
    await auth.edge.poll()
    await auth.pass_time(ENDED_SESSIONS_KEPT_SECONDS - 1)
    assert auth.edge.is_ended("one")
    await auth.pass_time(1)
    assert not auth.edge.is_ended("one")


async def test_keys_that_were_retired_are_passed_on(auth: Auth) -> None:
    await auth.edge.poll()
    assert auth.retired_at_the_edge == set()
    auth.retired = frozenset({"old"})
    await auth.pass_time(1)
    assert auth.retired_at_the_edge == {"old"}


def test_an_older_auth_has_retired_no_key_and_tells_everything_at_once() -> None:
    told = EndedSessions.model_validate({"items": [], "now": START})
    assert (told.retired_keys, told.next_cursor) == (frozenset(), None)


def test_what_a_newer_auth_tells_beside_is_ignored() -> None:
    assert EndedSessions.model_validate({"items": [], "now": START, "of_tomorrow": 1}).items == ()
