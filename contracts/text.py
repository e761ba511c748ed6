"""Free text that people type."""

from typing import Annotated

from pydantic import Field

# One line: no control characters, which neither a store nor a parcel's label can hold.
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", min_length=1, max_length=200)]
