"""Histories of earlier versions still replay: a change that breaks one needs `workflow.patched`."""

import pytest
from temporalio.client import WorkflowHistory

from tests.workflows.saved import FOLDER, replay

HISTORIES = {f"{path.parent.name}/{path.stem}": path for path in sorted(FOLDER.glob("*/*.json"))}
ENDS = {
    "cancel": {"done", "refused"},
    "checkout": {"confirmed", "declined", "cancelled", "expired", "taken_over", "waited"},
    "fulfilment": {"delivered", "held", "stopped", "struggled", "struggled_unpatched"},
    "notification": {"sent"},
    "reaction": {"got_through"},
    "refund": {"done", "refused"},
}


def test_there_are_histories_of_every_end() -> None:
    kept = set(HISTORIES)
    assert {f"{workflow}/{end}" for workflow, ends in ENDS.items() for end in ends} <= kept


@pytest.mark.parametrize("name", HISTORIES)
async def test_a_saved_history_replays(name: str) -> None:
    await replay(WorkflowHistory.from_json("saved", HISTORIES[name].read_text()))
