"""docs/events.md: its table of who says what and who hears it, written from the code.

`python -m proof.events_document` renews it; the text around the table is written by hand.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

from contracts.published import PUBLISHED, Published
from contracts.topology import SERVICES
from runtime.reactions import Reactions

DOCUMENT = Path(__file__).parents[1] / "docs" / "events.md"
BEGIN = "<!-- From the code: `python -m proof.events_document` renews it. -->\n"
END = "<!-- The end of what is from the code. -->\n"


def hearing() -> Mapping[str, Reactions]:
    """What each service's worker reacts to."""
    return {
        service.name: getattr(import_module(f"workers.{service.name}"), "HEARS", ()) for service in SERVICES
    }


def table() -> str:
    """Every event, in the order of the services that say it."""
    ours = hearing()
    head = ["| event | who says it | what it means | who hears it |", "|---|---|---|---|"]
    rows = [_row(one, ours) for service in SERVICES for one in PUBLISHED if one.service == service.name]
    return "\n".join([*head, *rows]) + "\n"


def renewed(document: str) -> str:
    """The document with the table as it has to be now."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _row(one: Published, ours: Mapping[str, Reactions]) -> str:
    data = f"[`{one.type}`](../{one.data.__module__.replace('.', '/')}.py)"
    hearers = ", ".join(f"`{handler}`" for handler in _handlers(one.type, ours)) or "nobody yet"
    return f"| {data} | {one.service} | {one.meaning} | {hearers} |"


def _handlers(event_type: str, ours: Mapping[str, Reactions]) -> Iterator[str]:
    for reactions in ours.values():
        yield from dict.fromkeys(one.handler for one in reactions if one.event_type == event_type)


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text()))
