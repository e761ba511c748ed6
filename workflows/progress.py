"""A running table of a saga's steps: for the Temporal UI while it runs, for the order's row when it ends."""

from datetime import datetime

from contracts.checkout import Step, StepName, StepState

BUYER_HAS_TO_ACT = "the buyer has to act at the provider"
_MARKS = {
    StepState.WAITING: "·",
    StepState.RUNNING: "…",
    StepState.COMPLETED: "✓",
    StepState.REFUSED: "✗",
    StepState.INTERRUPTED: "–",
    StepState.FAILING: "!",
}


class Progress:
    """The steps in the order in which they are to happen; undos join when they begin."""

    def __init__(self, planned: tuple[StepName, ...]) -> None:
        self._steps = {name: Step(name=name) for name in planned}

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps.values())

    def started(self, name: StepName, now: datetime) -> None:
        first = self._steps.get(name, Step(name=name)).started_at
        self._change(name, state=StepState.RUNNING, started_at=first or now)

    def completed(self, name: StepName, now: datetime, attempts: int) -> None:
        self._change(name, state=StepState.COMPLETED, finished_at=now, attempts=attempts, detail=None)

    def refused(self, name: StepName, now: datetime, attempts: int, detail: str) -> None:
        self._change(name, state=StepState.REFUSED, finished_at=now, attempts=attempts, detail=detail)

    def interrupted(self, name: StepName, now: datetime) -> None:
        self._change(name, state=StepState.INTERRUPTED, finished_at=now)

    def failing(self, name: StepName, attempts: int, detail: str) -> None:
        self._change(name, state=StepState.FAILING, attempts=attempts, detail=detail)

    def waiting(self, name: StepName, detail: str) -> None:
        self._change(name, state=StepState.RUNNING, detail=detail)

    def resolved(self, name: StepName, now: datetime, detail: str) -> None:
        self._change(name, state=StepState.COMPLETED, finished_at=now, detail=detail)

    def _change(self, name: StepName, **fields: object) -> None:
        self._steps[name] = self._steps.get(name, Step(name=name)).model_copy(update=fields)

    def as_markdown(self) -> str:
        """The table that the Temporal UI shows as the workflow's current details."""
        rows = [
            f"| {_MARKS[step.state]} | `{step.name}` | {step.state} | {step.attempts or ''} "
            f"| {_clock(step.started_at)} | {_clock(step.finished_at)} | {cell(step.detail)} |"
            for step in self.steps
        ]
        head = "| | step | state | attempts | started | finished | detail |\n|---|---|---|---|---|---|---|"
        return "\n".join([head, *rows])


def cell(text: str | None) -> str:
    """Text of others, kept inside its cell of the table."""
    return " ".join((text or "").split()).replace("|", r"\|")


def _clock(moment: datetime | None) -> str:
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}" if moment else ""
