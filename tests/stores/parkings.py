"""What every parking promises, whatever it stores in."""

from uuid import uuid4

from runtime.bus import Delivery
from runtime.clock import utc_now
from runtime.parking import LONGEST_BODY, Parked, Parking, parked_from


def parked(subject: str, number: int, handler: str = "test.follow", reason: str = "no luck") -> Parked:
    now = utc_now()
    return Parked(
        handler=handler,
        subject=subject,
        event_id=f"{subject}-{number}",
        event_type="test.happened",
        body='{"unreadable',
        reason=reason,
        parked_at=now.replace(microsecond=now.microsecond // 1_000 * 1_000),
    )


def new_subject() -> str:
    return f"a subject {uuid4()}"


async def check_order(parking: Parking) -> None:
    """What was added first comes first, and as it was; then the line is gone."""
    subject = new_subject()
    line = [parked(subject, number) for number in (3, 1, 2)]
    for each in line:
        await parking.add(each)
    place = ("test.follow", subject)
    asked = [place, ("test.follow", new_subject()), ("test.lead", subject)]
    assert place in await parking.subjects()
    assert set(await parking.among(asked)) == {place}
    for each in line:
        assert await parking.first("test.follow", subject) == each
        await parking.remove(each)
    assert await parking.first("test.follow", subject) is None
    assert place not in await parking.subjects()
    assert not await parking.among(asked)


async def check_repeats(parking: Parking) -> None:
    """A second add changes nothing, nor does a second remove."""
    subject = new_subject()
    first, second = parked(subject, 1), parked(subject, 2)
    for each in (first, second, parked(subject, 1, reason="again")):
        await parking.add(each)
    assert await parking.first("test.follow", subject) == first
    for _ in range(2):
        await parking.remove(first)
    assert await parking.first("test.follow", subject) == second
    await parking.remove(second)
    assert await parking.first("test.follow", subject) is None


async def check_the_largest(parking: Parking) -> None:
    """The longest that can come, in the characters that take most, is kept as it is."""
    parcel = "\N{PACKAGE}"
    delivery = Delivery(
        stream="events:test:0",
        entry="1-0",
        type="test.happened",
        subject=new_subject() + parcel * 1_000,
        body=parcel * (LONGEST_BODY + 1),
    )
    longest = parked_from(delivery, "test.follow", "no", utc_now().replace(microsecond=0))
    await parking.add(longest)
    assert await parking.first(longest.handler, longest.subject) == longest
    await parking.remove(longest)


async def check_lines_are_apart(parking: Parking) -> None:
    """An event waits for each handler on its own, and one subject for itself."""
    subject, other = new_subject(), new_subject()
    here, elsewhere = parked(subject, 1), parked(subject, 1, handler="test.mail")
    for each in (here, elsewhere, parked(other, 1)):
        await parking.add(each)
    await parking.remove(here)
    assert await parking.first("test.follow", subject) is None
    assert await parking.first("test.mail", subject) == elsewhere
    assert await parking.first("test.follow", other) is not None
