"""Histories: replayed where they were made, and kept for the versions to come.

MICROMART_SAVE_HISTORIES=1 keeps what the tests of this folder replay; do so before a workflow changes.
"""

import os
import re
import sys
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from workflows.cancel_order import CancelOrderWorkflow
from workflows.checkout import CheckoutWorkflow
from workflows.fulfilment import FulfilmentWorkflow
from workflows.notification import NotificationWorkflow
from workflows.reaction import ReactionWorkflow
from workflows.refund_order import RefundOrderWorkflow

FOLDER = Path(__file__).parent / "histories"
ROOT = Path(__file__).parents[2]
WORKFLOWS = [
    CancelOrderWorkflow,
    CheckoutWorkflow,
    FulfilmentWorkflow,
    NotificationWorkflow,
    ReactionWorkflow,
    RefundOrderWorkflow,
]


async def replay(history: WorkflowHistory) -> None:
    """Nothing, or the first decision that today's code would make otherwise."""
    replayer = Replayer(workflows=WORKFLOWS, data_converter=pydantic_data_converter)
    await replayer.replay_workflow(history)


async def replay_and_keep(history: WorkflowHistory, name: str) -> None:
    """Replay it now; `name` is where it is kept, as `checkout/declined`."""
    await replay(history)
    if os.environ.get("MICROMART_SAVE_HISTORIES"):
        path = FOLDER / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_scrubbed(history.to_json()))


def _scrubbed(history: str) -> str:
    """A history without the machine that it was made on."""
    anonymous = re.sub(r'"identity": "[^"]*"', '"identity": "worker"', history)
    for folder in (ROOT, sys.prefix, sys.base_prefix):
        anonymous = anonymous.replace(f"{folder}/", "")
    return anonymous
