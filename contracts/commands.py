"""What every step of a saga is told, whichever service carries it out."""

from pydantic import BaseModel, ConfigDict


class Command(BaseModel):
    """The base of a step's one input: the order that it is for, and the trace that it belongs to."""

    model_config = ConfigDict(frozen=True)

    order_id: str
    traceparent: str | None = None
