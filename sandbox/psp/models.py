"""What travels over HTTP, and the ledger's line."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Minor = Annotated[int, Field(gt=0, le=999_999_999_999)]


class _Asked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Authorize(_Asked):
    amount: Minor
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    token: Annotated[str, Field(min_length=1, max_length=255)]
    reference: Annotated[str, Field(min_length=1, max_length=255)]


class Part(_Asked):
    """How much to capture or refund; all that is left unless said."""

    amount: Minor | None = None


class Void(_Asked):
    """A void takes no parameters."""


class Act(_Asked):
    """What the buyer says on the page of their bank."""

    outcome: Literal["approve", "decline"]


class Authorization(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    status: Literal["requires_action", "authorized", "captured", "voided", "declined"]
    amount: int
    currency: str
    captured: int = 0
    refunded: int = 0
    reference: str
    created_at: datetime
    decline_code: str | None = None
    action_url: str | None = None
    # The bank will refuse the next capture; nobody is told beforehand.
    refuses_capture: bool = Field(default=False, exclude=True)

    def body(self) -> str:
        return self.model_dump_json(exclude_none=True)


class Authorizations(BaseModel):
    items: list[Authorization]


class Kind(StrEnum):
    REQUIRES_ACTION = "requires_action"
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    CAPTURED = "captured"
    CAPTURE_DECLINED = "capture_declined"
    VOIDED = "voided"
    REFUNDED = "refunded"
    FAULTED = "faulted"
    ANSWERED = "answered"  # a stored answer that moved nothing: a 409, or a void of what is voided


class Entry(BaseModel):
    """One line of the ledger: an effect together with the answer stored under its idempotency key.

    What the buyer did at the bank has no key, and so no stored answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seq: int = 0
    time: datetime
    kind: Kind
    authorization_id: str | None = None
    amount: int
    currency: str
    reference: str
    decline_code: str | None = None
    action_url: str | None = None
    refuses_capture: bool | None = None
    key: str
    fingerprint: str
    path: str
    status: int
    body: str
