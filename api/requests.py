"""The base of every request body."""

from pydantic import BaseModel, ConfigDict


class RequestBody(BaseModel):
    """A body whose unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
