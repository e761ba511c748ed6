"""What requests have in common: the base of every body, and ids."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict

ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
# An id that we have given, as a path names it.
PathId = Annotated[str, Path(pattern=ID_PATTERN)]


class RequestBody(BaseModel):
    """A body whose unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
