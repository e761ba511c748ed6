"""Free text that people type."""

from typing import Annotated

from pydantic import AfterValidator, Field

# Without control characters, which neither a store nor a parcel's label can hold.
_ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
_READABLE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
_MAX_LENGTH = 200


def _unless_blank(text: str | None) -> str | None:
    return text if text is not None and text.strip() else None


# One line with something to read on it.
Line = Annotated[str, Field(pattern=_READABLE, min_length=1, max_length=_MAX_LENGTH)]
# A line that may be left out; forms send a blank one for what was not filled in.
OptionalLine = Annotated[
    Annotated[str, Field(pattern=_ONE_LINE, max_length=_MAX_LENGTH)] | None, AfterValidator(_unless_blank)
]
