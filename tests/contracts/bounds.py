"""Whether a schema has an end."""

import re
from collections.abc import Mapping
from typing import Any

from tests.contracts.compatibility import forms_of

# A pattern for all of a text, in which nothing may be repeated without a bound.
_ENDED = re.compile(r"\^(?:[^*+|{]|{\d+(?:,\d+)?})*\$")


def is_endless(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    """Whether a text of any length would be taken."""
    return any(_is_endless(one, definitions) for one in forms_of(schema, definitions))


def _is_endless(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    if schema.get("type") == "array":
        return is_endless(schema.get("items", {}), definitions)
    if schema.get("type", "string") != "string":
        return False
    has_end = {"maxLength", "enum", "const"} & schema.keys() or schema.get("format") == "date-time"
    return not has_end and _ENDED.fullmatch(schema.get("pattern", "")) is None
