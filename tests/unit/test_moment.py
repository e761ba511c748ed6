"""Moments that are sent to us: with a time zone, and not at the ends of the calendar."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.moment import Moment

MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2026-11-23T12:00:00+02:00", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("8999-12-31T23:59:59Z", datetime(8999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_moment_is_taken_as_utc(sent: str, taken: datetime) -> None:
    moment = MOMENT.validate_python(sent)
    assert (moment, moment.tzinfo) == (taken, UTC)


@pytest.mark.parametrize(
    "sent",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1970-01-01T00:00:00+00:01",
        "9000-01-01T00:00:00Z",
        "2026-11-23T12:00:00",
        "1e30",
        "4",
        4,
        "2026-11-23",
        "20261123T120000Z",
    ],
)
def test_what_no_clock_shows_is_refused(sent: object) -> None:
    with pytest.raises(ValidationError):
        MOMENT.validate_python(sent)
