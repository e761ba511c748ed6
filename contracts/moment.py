"""Moments that are sent to us."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)


def _as_utc(moment: datetime) -> datetime:
    # Compared first: at either end of the calendar there are moments that UTC has no name for.
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError("a moment lies between the years 1970 and 9000")
    return moment.astimezone(UTC)


# With its time zone, and far enough from the calendar's ends that there is one before it and one after.
Moment = Annotated[AwareDatetime, AfterValidator(_as_utc)]
