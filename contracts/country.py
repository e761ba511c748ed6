"""Countries by their code."""

from typing import Annotated

from iso3166 import countries_by_alpha2
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

# Kosovo's XK is in the library's list: the standard leaves such codes to whoever uses them.
COUNTRIES = frozenset(countries_by_alpha2) - {"XK"}


def _listed(code: str) -> str:
    if code not in COUNTRIES:
        raise PydanticCustomError("country", "This is not an ISO 3166-1 alpha-2 code such as DE or GB")
    return code


Country = Annotated[
    str,
    Field(
        description="ISO 3166-1 alpha-2",
        examples=["DE"],
        json_schema_extra={"enum": [*sorted(COUNTRIES)]},
    ),
    AfterValidator(_listed),
]
