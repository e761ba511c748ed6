"""Moments that are sent to us."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)


# Date and time, as RFC 3339 writes them.
_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}")


def _as_written(given: object) -> object:
    # Pydantic takes a number, also one in a text, for seconds or milliseconds since 1970.
    if not isinstance(given, datetime) and not (isinstance(given, str) and _WRITTEN.match(given)):
        raise ValueError("a moment is written like 2026-11-23T12:00:00Z")
    return given


def _as_utc(moment: datetime) -> datetime:
    # Compared first: at either end of the calendar there are moments that UTC has no name for.
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError("a moment lies between the years 1970 and 9000")
    return moment.astimezone(UTC)


# With its time zone, and far enough from the calendar's ends that there is one before it and one after.
Moment = Annotated[AwareDatetime, BeforeValidator(_as_written), AfterValidator(_as_utc)]
