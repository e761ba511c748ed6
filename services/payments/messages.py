"""What a provider's message says, once its signature has held."""

import re
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, ValidationError

from runtime.logs import get_logger

log = get_logger(__name__)

MessageId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,255}$")]
_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

Message = TypeVar("Message", bound=BaseModel)


def read_message(provider: str, shape: type[Message], body: bytes) -> Message | None:
    """The message inside; None where it cannot be read, which no repetition would change."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        # The error would quote the message.
        log.warning("a signed webhook cannot be read", provider=provider, faults=error.error_count())
        return None


def is_order_id(text: str) -> bool:
    """Whether this can be an order of ours, and not what somebody else wrote who shares the account."""
    return _ORDER_ID.fullmatch(text) is not None
