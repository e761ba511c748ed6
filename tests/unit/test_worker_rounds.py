import asyncio

import pytest
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import Unavailable
from workers.rounds import again_and_again

AWAY = RPCError("Temporal is away", RPCStatusCode.UNAVAILABLE, b"")


@pytest.mark.parametrize("error", [Unavailable("the database is away"), AWAY, RuntimeError("a bug")])
async def test_whatever_ends_one_round_the_next_one_comes(error: Exception) -> None:
    rounds: asyncio.Queue[int] = asyncio.Queue()

    async def act() -> None:
        rounds.put_nowait(1)
        raise error

    loop = asyncio.create_task(again_and_again("acting", act, pause=0))
    for _ in range(3):
        await rounds.get()
    loop.cancel()
    await asyncio.wait({loop})
    assert loop.cancelled()
