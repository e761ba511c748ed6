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


def replayer() -> Replayer:
    return Replayer(workflows=[CheckoutWorkflow], data_converter=pydantic_data_converter)


def test_there_are_histories_of_every_end() -> None:
    assert {path.stem for path in HISTORIES} >= {"confirmed", "declined", "cancelled", "expired", "taken_over"}


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_saved_history_replays(path: Path) -> None:
    await replayer().replay_workflow(WorkflowHistory.from_json(f"checkout-{path.stem}", path.read_text()))
