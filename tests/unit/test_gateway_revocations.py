from datetime import UTC, datetime, timedelta

import pytest

from api.gateway.revocations import OVERLAP, Revocations
from contracts.auth import ENDED_SESSIONS_KEPT_SECONDS, EndedSession, EndedSessions
from contracts.errors import Unavailable

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Auth:
    """What has ended, as auth tells it; with the clocks of both sides to move together."""

    def __init__(self) -> None:
        self.ended: dict[str, datetime] = {}
        self.now = START
        self.asked: list[datetime | None] = []
        self.down = False
        self.retired: frozenset[str] = frozenset()
        self.retired_at_the_edge: set[str] = set()
        self.edge = Revocations(
            self.fetch, self.retired_at_the_edge.update, now=lambda: (self.now - START).total_seconds()
        )

    async def fetch(self, after: datetime | None) -> EndedSessions:
        self.asked.append(after)
        if self.down:
            raise Unavailable("down")
        told = [(session, at) for session, at in self.ended.items() if after is None or at > after]
        return EndedSessions(
            items=tuple(EndedSession(session=session, ended_at=at) for session, at in told),
            now=self.now,
            retired_keys=self.retired,
        )

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
    assert auth.asked == [None, START - OVERLAP]


async def test_an_end_here_is_known_at_once(auth: Auth) -> None:
    auth.edge.end("one")
    assert auth.edge.is_ended("one")


async def test_without_auth_it_goes_on_with_what_it_knows_and_catches_up(auth: Auth) -> None:
    auth.end("before")
    await auth.edge.poll()
    auth.down = True
    auth.end("during")
    await auth.pass_time(3_600)
    assert (auth.edge.is_ended("before"), auth.edge.is_ended("during")) == (True, False)
    auth.down = False
    await auth.pass_time(1)
    assert auth.edge.is_ended("during")


async def test_it_starts_without_auth(auth: Auth) -> None:
    auth.down = True
    async with auth.edge:
        assert not auth.edge.is_ended("one")


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


def test_an_auth_that_does_not_tell_of_keys_has_retired_none() -> None:
    assert EndedSessions.model_validate({"items": [], "now": START}).retired_keys == frozenset()


def test_what_a_newer_auth_tells_beside_is_ignored() -> None:
    assert EndedSessions.model_validate({"items": [], "now": START, "of_tomorrow": 1}).items == ()
