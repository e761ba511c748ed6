"""The staff's trail on a real PostgreSQL: it is added to, and nothing else."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contracts.auth import StaffAction
from runtime.database import Database
from services.auth.errors import UnknownStaffAction
from services.auth.staff_actions import StaffActions
from services.auth.store import AuthStore
from tests.conftest import FreshDatabase

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
REFUND = StaffAction(
    actor="grace",
    method="POST",
    route="/v1/admin/orders/{id}/refund",
    path="/v1/admin/orders/42/refund",
    request_id="r" * 32,
    trace_id="t" * 32,
    address="2001:db8::1",
)


@dataclass
class Office:
    """Where the staff works, at a time that the test sets."""

    database: Database
    now: datetime = NOON

    @property
    def trail(self) -> StaffActions:
        return StaffActions(AuthStore(self.database), lambda: self.now)

    async def run(self, statement: str) -> None:
        async with self.database.begin() as connection:
            await connection.execute(text(statement))


@pytest.fixture
async def office(fresh_database: FreshDatabase) -> AsyncIterator[Office]:
    database = Database(await fresh_database("auth"))
    yield Office(database)
    await database.dispose()


async def test_what_is_noted_is_read_back_without_an_end(office: Office) -> None:
    action_id = await office.trail.note(REFUND)
    [noted] = await office.trail.actions(limit=10)
    assert (noted.id, noted.action, noted.noted_at) == (action_id, REFUND, NOON)
    assert (noted.status, noted.ended_at) == (None, None)


async def test_the_first_word_about_its_end_stays(office: Office) -> None:
    action_id = await office.trail.note(REFUND)
    for status in (202, 500):
        office.now += timedelta(seconds=1)
        await office.trail.end(action_id, status)
    [noted] = await office.trail.actions(limit=10)
    assert (noted.status, noted.ended_at) == (202, NOON + timedelta(seconds=1))


async def test_what_nobody_noted_cannot_end(office: Office) -> None:
    with pytest.raises(UnknownStaffAction):
        await office.trail.end("nothing", 200)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE staff_actions SET actor = 'eve'",
        "UPDATE staff_actions SET actor = 'eve', status = 200, ended_at = now()",
        "UPDATE staff_actions SET noted_at = now()",
        "UPDATE staff_actions SET status = NULL",
        "DELETE FROM staff_actions",
        "TRUNCATE staff_actions",
    ],
)
async def test_nothing_in_it_can_be_changed_or_dropped(office: Office, statement: str) -> None:
    await office.trail.note(REFUND)
    before = await office.trail.actions(limit=10)
    with pytest.raises(DBAPIError, match="only ever added to"):
        await office.run(statement)
    assert await office.trail.actions(limit=10) == before


async def test_an_end_that_was_told_cannot_be_changed(office: Office) -> None:
    action_id = await office.trail.note(REFUND)
    await office.trail.end(action_id, 202)
    with pytest.raises(DBAPIError, match="only ever added to"):
        await office.run("UPDATE staff_actions SET status = 403")


async def test_it_can_be_asked_for_one_actor_and_one_span_of_time(office: Office) -> None:
    for number, actor in enumerate(("grace", "ada", "grace", "key:7")):
        office.now = NOON + timedelta(minutes=number)
        await office.trail.note(REFUND.model_copy(update={"actor": actor}))
    since, until = NOON + timedelta(minutes=1), NOON + timedelta(minutes=3)
    in_time = await office.trail.actions(since=since, until=until, limit=10)
    by_grace = await office.trail.actions(actor="grace", limit=10)
    assert [noted.action.actor for noted in in_time] == ["grace", "ada"]
    assert [noted.noted_at for noted in by_grace] == [NOON + timedelta(minutes=2), NOON]


async def test_a_page_goes_on_where_the_last_ended(office: Office) -> None:
    for number in range(5):
        office.now = NOON + timedelta(seconds=number // 2)
        await office.trail.note(REFUND)
    every = await office.trail.actions(limit=10)
    rest = await office.trail.actions(after=(every[2].noted_at, every[2].id), limit=10)
    assert rest == every[3:]
