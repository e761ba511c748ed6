"""One figure with its goal, as it stands in the table."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, computed_field


class Bound(StrEnum):
    AT_MOST = "at most"
    AT_LEAST = "at least"


class Figure(BaseModel):
    """One line of the result; with a `ratio` to something the goal is about that, else about the value."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    ratio_to: str = ""
    bound: Bound | None = None
    goal: float | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none, or nothing to compare with."""
        if self.goal is None or self.bound is None:
            return None
        measured = self.value if self.ratio is None else self.ratio
        return measured <= self.goal if self.bound is Bound.AT_MOST else measured >= self.goal

    def at_most(self, goal: float) -> Self:
        return self.model_copy(update={"bound": Bound.AT_MOST, "goal": goal})

    def at_least(self, goal: float) -> Self:
        return self.model_copy(update={"bound": Bound.AT_LEAST, "goal": goal})
