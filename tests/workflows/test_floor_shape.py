"""The benchmark's floor has the checkout's shape: without it the comparison would mean nothing."""

import json
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

from proof.floor import QUEUES, place_floor
from proof.floor_worker import floor_worker
from runtime.settings import Settings
from runtime.temporal import connect
from tests.conftest import Servers

CONFIRMED = Path(__file__).parent / "histories" / "checkout" / "confirmed.json"


async def test_the_floor_costs_temporal_the_same_events_as_a_confirmed_checkout(servers: Servers) -> None:
    client = await connect(Settings(temporal_address=servers.temporal_address))
    order_id = uuid4().hex
    async with AsyncExitStack() as workers:
        for queue in QUEUES:
            await workers.enter_async_context(floor_worker(client, queue))
        await place_floor(client, order_id)
        floor = client.get_workflow_handle(f"floor-{order_id}")
        await floor.result()
    history = await floor.fetch_history()

    assert _events(history.to_json()) == _events(CONFIRMED.read_text())


def _events(history: str) -> Counter[str]:
    """How often each kind of event stands in a history, but for workflow tasks: timing may join two."""
    kinds = [event["eventType"] for event in json.loads(history)["events"]]
    return Counter(kind for kind in kinds if "_WORKFLOW_TASK_" not in kind)
