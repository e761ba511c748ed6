"""What was promised, as committed snapshots: a promise may be added to, and broken only on purpose."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "snapshots"
UPDATE = "MICROMART_UPDATE_SNAPSHOTS"

_HOW_TO_ACCEPT = f"If that is meant: {UPDATE}=1 python -m pytest tests/contracts, and commit the snapshot."

# A place in a document, such as `total.amount` or `items[].sku`, and what stands there.
Fields = dict[str, str]


def fields_read(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Fields:
    """Every field that a reader finds, flat, with its type."""
    return dict(_fields(schema, definitions, "", sent=False))


def fields_sent(schema: Mapping[str, Any], definitions: Mapping[str, Any], at: str) -> Fields:
    """Every field that a sender may give, with the values that it takes; `?` marks what may be left out."""
    return dict(_fields(schema, definitions, at, sent=True))


def _fields(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], at: str, *, sent: bool
) -> Iterator[tuple[str, str]]:
    alternatives = list(forms_of(schema, definitions))
    if at:
        yield at, " or ".join(sorted({_type(one, values=sent) for one in alternatives}))
    for one in alternatives:
        for name, field in one.get("properties", {}).items():
            optional = "?" if sent and name not in one.get("required", ()) else ""
            yield from _fields(field, definitions, f"{at}.{name}{optional}".lstrip("."), sent=sent)
        if isinstance(items := one.get("items"), dict):
            yield from _fields(items, definitions, f"{at}[]", sent=sent)
        if isinstance(others := one.get("additionalProperties"), dict):
            yield from _fields(others, definitions, f"{at}{{}}", sent=sent)


def forms_of(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema behind its references, once for each form that it may take."""
    if "$ref" in schema:
        yield from forms_of(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    elif "anyOf" in schema:
        for option in schema["anyOf"]:
            yield from forms_of(option, definitions)
    else:
        yield schema


def _type(schema: Mapping[str, Any], *, values: bool) -> str:
    name = str(schema.get("type", "anything"))
    limited_to = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if values and limited_to:
        return " or ".join(sorted(f"{name} {value}" for value in limited_to))
    return f"{name} ({schema['format']})" if "format" in schema else name


def missing(before: Fields, now: Fields) -> Iterator[str]:
    """Fields that a reader relied on and that are gone or of another type; new ones do not hurt a reader."""
    for field, kind in before.items():
        if field not in now:
            yield f"{field} is gone"
        elif now[field] != kind:
            yield f"{field} was {kind}, is {now[field]}"


def refused(before: Fields, now: Fields) -> Iterator[str]:
    """What senders give and would now be refused: fields that are gone or narrower, new required ones."""
    known, taken = _plain(before), _plain(now)
    for field, kind in known.items():
        if field not in taken:
            yield f"{field} is not taken any more"
        elif not set(kind.split(" or ")) <= set(taken[field].split(" or ")):
            yield f"{field} took {kind}, takes {taken[field]}"
    was_required = {field.replace("?", "") for field in before if not field.endswith("?")}
    for field in now:
        plain = field.replace("?", "")
        parent = plain.rpartition(".")[0]
        inside_of_new = parent in taken and parent not in known
        if not field.endswith("?") and plain not in was_required and not inside_of_new:
            yield f"{plain} is required now"


def _plain(fields: Fields) -> Fields:
    return {field.replace("?", ""): kind for field, kind in fields.items()}


def snapshot(name: str, now: Mapping[str, Any]) -> dict[str, Any]:
    """What was promised under this name; told to update, it takes over what is promised now."""
    file = FOLDER / name
    if os.environ.get(UPDATE) == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(now, indent=2, sort_keys=True) + "\n")
    promised: dict[str, Any] = json.loads(file.read_text())
    return promised


def verdict(name: str, broken: Iterable[str]) -> str:
    """What to tell whoever broke a promise."""
    return f"this breaks whoever relies on {name}:\n  " + "\n  ".join(broken) + f"\n{_HOW_TO_ACCEPT}"


def unkept(name: str, now: Iterable[str], promised: Iterable[str]) -> str:
    """What to tell whoever added a promise that no snapshot keeps."""
    return f"not in {name} yet: {', '.join(sorted(set(now) - set(promised)))}\n{_HOW_TO_ACCEPT}"


def unread(published: Fields, facts: Fields) -> Iterator[str]:
    """What a consumer declares and nobody publishes, or publishes as something that it does not take."""
    told = _plain(published)
    for field, kind in _plain(facts).items():
        if field not in told:
            yield f"{field} is not published"
            continue
        taken = set(kind.split(" or "))
        # Whoever takes any string takes a moment and a name out of a list, too.
        if odd := {one for one in told[field].split(" or ") if not {one, one.partition(" ")[0]} & taken}:
            yield f"{field} may be {' or '.join(sorted(odd))}, only {kind} is read"
