"""A worker process of the floor: one queue, as each of the platform's workers has one."""

import asyncio
import signal
import sys

import uvloop
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from proof.floor import WORKFLOW_QUEUE, FloorWorkflow, step
from runtime.settings import Settings
from runtime.temporal import connect


def floor_worker(client: Client, queue: str) -> Worker:
    """A worker of one of the floor's queues; one of them runs the workflow."""
    return Worker(
        client,
        task_queue=queue,
        activities=[step],
        workflows=[FloorWorkflow] if queue == WORKFLOW_QUEUE else [],
        # As ours run: with the sandbox that is Temporal's default the floor would be too easy to reach.
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


async def work(settings: Settings, queue: str) -> None:
    """Poll until told to stop; says so once it does."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with floor_worker(await connect(settings), queue):
        print("polling", flush=True)
        await stopping.wait()


if __name__ == "__main__":
    address, namespace, queue = sys.argv[1:]
    uvloop.run(work(Settings(temporal_address=address, temporal_namespace=namespace), queue))
