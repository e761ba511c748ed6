"""Histories of earlier versions still replay: a change that breaks one needs `workflow.patched`.

test_checkout_histories.py tells how they are saved.
"""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from workflows.checkout import CheckoutWorkflow

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))
NAMES = [path.stem for path in HISTORIES]


def replayer() -> Replayer:
    return Replayer(workflows=[CheckoutWorkflow], data_converter=pydantic_data_converter)


def test_there_are_histories_of_every_end() -> None:
    ends = {"confirmed", "declined", "cancelled", "expired", "taken_over", "waited"}
    assert {path.stem for path in HISTORIES} >= ends


@pytest.mark.parametrize("history", [path.read_text() for path in HISTORIES], ids=NAMES)
async def test_a_saved_history_replays(history: str) -> None:
    await replayer().replay_workflow(WorkflowHistory.from_json("checkout-saved", history))
