"""What is wrong with a request, by its places: the validator names those of its own schema."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from contracts.errors import FieldProblem

_Place = tuple[str, ...]
_OBJECT_WANTED = frozenset({"model_type", "model_attributes_type", "dict_type", "dataclass_type"})


def field_problems(faults: Iterable[Mapping[str, Any]], body: object) -> tuple[FieldProblem, ...]:
    """One entry for each place, in the order in which they were found.

    Where something may have several forms, each form complains. The one whose complaint lies deepest is the
    one that was meant; at one place, all of them are told.
    """
    told: dict[_Place, dict[str, None]] = {}
    for fault in faults:
        told.setdefault(_place(fault, body), {})[_message(fault)] = None
    return tuple(
        FieldProblem(at=_pointer(place), message="; or: ".join(messages))
        for place, messages in told.items()
        if not any(_is_inside(other, place) for other in told)
    )


def _is_inside(place: _Place, of: _Place) -> bool:
    return len(place) > len(of) and place[: len(of)] == of


def _place(fault: Mapping[str, Any], body: object) -> _Place:
    """The fault's place without the names of forms that its schema could have taken there."""
    source, *way = fault["loc"]
    if source != "body":
        return source, *map(str, way)
    place, here = [source], body
    for position, part in enumerate(way):
        is_missing_field = fault["type"] == "missing" and position == len(way) - 1
        if is_missing_field or _has(here, part):
            place.append(str(part))
            here = here[part] if _has(here, part) else None  # type: ignore[index]
    return tuple(place)


def _has(value: object, part: str | int) -> bool:
    if isinstance(value, Mapping):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _message(fault: Mapping[str, Any]) -> str:
    """The validator's words, where they are not about Python."""
    if fault["type"] in _OBJECT_WANTED:
        return "Input should be an object"
    # A secret's length is that of something with items.
    if fault["type"] == "too_long" and isinstance(fault["input"], str):
        return f"String should have at most {fault['ctx']['max_length']} characters"
    return str(fault["msg"])


def _pointer(place: Sequence[str]) -> str:
    """RFC 6901."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in place)
