import asyncio

import pytest
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import Unavailable
from workers.rounds import OUTAGE, Round, again_and_again

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


async def fails(error: Exception) -> None:
    raise error


async def test_a_round_serves_all_that_can_be_served_and_tells_how_many_could_not() -> None:
    served: list[str] = []

    async def succeeds(order_id: str) -> None:
        served.append(order_id)

    this_round = Round("acting")
    for number, error in enumerate((AWAY, RuntimeError("a bug"))):
        await this_round.serve(f"odd-{number}", fails(error))
        await this_round.serve(f"good-{number}", succeeds(f"good-{number}"))
    assert served == ["good-0", "good-1"]
    with pytest.raises(Unavailable, match="2 could not be served, 2 were"):
        this_round.end()


async def test_a_round_in_which_all_went_well_answers_how_many_there_were() -> None:
    this_round = Round("acting")
    for _ in range(3):
        await this_round.serve("good", asyncio.sleep(0))
    assert this_round.end() == 3


async def test_an_outage_ends_a_round_early() -> None:
    this_round = Round("acting")
    await this_round.serve("odd", fails(AWAY))
    await this_round.serve("good", asyncio.sleep(0))
    for _ in range(OUTAGE - 1):
        await this_round.serve("waiting", fails(AWAY))
    with pytest.raises(Unavailable, match="in a row"):
        await this_round.serve("one too many", fails(AWAY))
