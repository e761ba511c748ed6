"""What the auth worker drops of sessions, on a real PostgreSQL: what is over goes, what lives stays."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from services.auth.errors import InvalidRefreshToken, TokenReused
from services.auth.pruning import SESSIONS_KEPT, SPENT_TOKENS_KEPT, Pruned, SessionPruning
from services.auth.session_store import PRUNED_AT_ONCE
from services.auth.store import AuthStore
from tests.conftest import FreshDatabase
from tests.polling import until
from tests.stores.auth_sessions_desk import LIFETIMES, SECOND, START, SessionsDesk, open_sessions_desk
from tests.stores.auth_worker import SOON, execute, running
from workers.auth_sessions import SessionsPruner

SESSIONS = "SELECT count(*) FROM refresh_families"
TOKENS = "SELECT count(*) FROM refresh_tokens"
ANSWERS = "SELECT count(answer) FROM refresh_tokens"


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[SessionsDesk]:
    async with open_sessions_desk(fresh_database) as opened:
        yield opened


class FailsAtFirst(SessionPruning):
    failed = False

    async def prune(self) -> Pruned:
        if not self.failed:
            self.failed = True
            raise RuntimeError("the first round fails")
        return await super().prune()


def pruner(desk: SessionsDesk) -> SessionsPruner:
    return SessionsPruner(desk.pruning, wipe_every=SOON, prune_every=SOON)


async def leave(desk: SessionsDesk, sessions: int) -> None:
    """So many sessions that were over long ago, each with a token that was spent and one that was not."""
    [user] = await desk.accounts.users(1)
    over = desk.clock.now - SESSIONS_KEPT - SECOND
    await execute(
        desk.database,
        f"""
        INSERT INTO refresh_families (id, user_id, created_at, last_used_at, expires_at, ends_at)
        SELECT 'left-' || n, '{user.id}', '{over}', '{over}', '{over}', '{over}'
        FROM generate_series(1, {sessions}) AS n;
        """,
    )
    await execute(
        desk.database,
        f"""
        INSERT INTO refresh_tokens (hash, family_id, created_at, used_at)
        SELECT sha256((n || used)::bytea), 'left-' || n, '{over}',
               CASE WHEN used = 'spent' THEN '{over - SPENT_TOKENS_KEPT}'::timestamptz END
        FROM generate_series(1, {sessions}) AS n, unnest(ARRAY['spent', 'unused']) AS used
        """,
    )


async def test_an_answer_is_wiped_after_the_grace(desk: SessionsDesk) -> None:
    await desk.refresh(await desk.sign_in())
    assert await desk.pruning.wipe_answers() == 0
    desk.clock.now += LIFETIMES.grace + SECOND
    assert await desk.pruning.wipe_answers() == 1
    assert await desk.rows("SELECT count(answer) FROM refresh_tokens") == [0]


async def test_tokens_that_were_spent_long_ago_are_dropped(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    for _ in range(2):
        tokens = await desk.refresh(tokens)
        desk.clock.now += LIFETIMES.refresh - SECOND
    desk.clock.now = START + SPENT_TOKENS_KEPT + SECOND
    assert await desk.pruning.prune() == Pruned(sessions=0, tokens=1)
    await desk.refresh(tokens)


async def test_what_is_over_is_dropped_and_what_lives_stays(desk: SessionsDesk) -> None:
    unused = await desk.sign_in()
    desk.clock.now += LIFETIMES.refresh
    lives = await desk.sign_in()
    await desk.sessions.logout(await desk.caller(await desk.sign_in()))
    assert await desk.pruning.prune() == Pruned(sessions=0, tokens=0)
    desk.clock.now += SESSIONS_KEPT + SECOND
    assert await desk.pruning.prune() == Pruned(sessions=2, tokens=0)
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(unused)
    await desk.refresh(lives)


async def test_the_worker_wipes_an_answer_after_its_grace_and_not_before(desk: SessionsDesk) -> None:
    await desk.refresh(await desk.sign_in())
    desk.clock.now += LIFETIMES.grace + SECOND
    first = await desk.sign_in()
    second = await desk.refresh(first)

    async def one_is_wiped() -> bool:
        return await desk.rows(ANSWERS) == [1]

    async with running(pruner(desk).wipe):
        await until(one_is_wiped)
    assert await desk.refresh(first) == second


async def test_the_worker_drops_sessions_that_are_over_with_their_tokens(desk: SessionsDesk) -> None:
    await leave(desk, sessions=3)
    spent = await desk.sign_in()
    lives = await desk.refresh(spent)
    desk.clock.now += LIFETIMES.grace

    async def has_pruned() -> bool:
        return (await desk.rows(SESSIONS), await desk.rows(TOKENS)) == ([1], [2])

    async with running(pruner(desk).prune):
        await until(has_pruned)
    await desk.refresh(lives)
    with pytest.raises(TokenReused):
        await desk.refresh(spent)


async def test_a_round_that_fails_does_not_end_the_workers_pruning(desk: SessionsDesk) -> None:
    await leave(desk, sessions=1)
    pruning = FailsAtFirst(AuthStore(desk.database), grace=LIFETIMES.grace, clock=desk.clock)

    async def has_pruned() -> bool:
        return await desk.rows(SESSIONS) == [0]

    async with running(SessionsPruner(pruning, prune_every=SOON).prune):
        await until(has_pruned)
    assert pruning.failed


async def test_workers_that_prune_at_once_share_the_work(desk: SessionsDesk) -> None:
    left = 4 * PRUNED_AT_ONCE
    await leave(desk, left)
    lives = await desk.sign_in()
    pruned = await asyncio.gather(*(desk.pruning.prune() for _ in range(4)))
    assert sum(share.sessions for share in pruned) == left
    assert await desk.rows(TOKENS) == [1]
    await desk.refresh(lives)


async def test_pruning_waits_for_nobody_who_is_at_a_token(desk: SessionsDesk) -> None:
    """Whoever waits while holding others, in an order of its own, may wait in a circle."""
    held = await desk.refresh(await desk.sign_in())
    await desk.refresh(held)
    await desk.refresh(await desk.sign_in())
    desk.clock.now += SPENT_TOKENS_KEPT + SECOND
    async with desk.database.begin() as connection:
        await connection.execute(
            text("SELECT hash FROM refresh_tokens WHERE used_at IS NOT NULL LIMIT 1 FOR UPDATE")
        )
        assert await desk.pruning.wipe_answers() == 2
        assert (await desk.pruning.prune()).tokens == 2
    assert await desk.pruning.wipe_answers() == 1
    assert (await desk.pruning.prune()).tokens == 1
