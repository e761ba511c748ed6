"""W3C trace context and the ids that every log line of a request carries."""

import random
import re

import structlog

TRACEPARENT_HEADER = "traceparent"
_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$")


def new_id() -> str:
    """32 hexadecimal digits that nobody else has; they protect nothing, so that they may be cheap."""
    # The module's own generator: it is seeded anew in each fork.
    return f"{random.getrandbits(128):032x}"


def new_span_id() -> str:
    return f"{random.getrandbits(64):016x}"


def new_traceparent() -> str:
    return f"00-{new_id()}-{new_span_id()}-01"


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id inside a well-formed traceparent, else None."""
    match = _TRACEPARENT.match(traceparent or "")
    return match.group(1) if match else None


def bind_trace(traceparent: str | None, **ids: str | None) -> None:
    """Make this task's log lines carry the trace (a new one where none came) and the given ids."""
    if trace_id_of(traceparent) is None:
        traceparent = new_traceparent()
    present = {name: value for name, value in ids.items() if value is not None}
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        traceparent=traceparent, trace_id=trace_id_of(traceparent), **present
    )


def current_traceparent() -> str | None:
    value = structlog.contextvars.get_contextvars().get("traceparent")
    return str(value) if value is not None else None
