"""What products heard and could not react to yet, in its own database."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, fields

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from runtime.parking import Parked, Place, handler_and_subject, line_of
from services.products.connection import Connection, Raw
from services.products.documents import ParkedDocument

_FIELDS = {field.name: 1 for field in fields(Parked)} | {"_id": 0}


class ProductsParking:
    """A line for every handler and subject, one document an event."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parked = connection.collection(ParkedDocument)

    async def subjects(self) -> Collection[Place]:
        return await self._parked_lines({})

    async def among(self, places: Collection[Place]) -> Collection[Place]:
        return await self._parked_lines({"line": {"$in": [line_of(*place) for place in places]}})

    async def add(self, parked: Parked) -> None:
        document = asdict(parked) | {"_id": _id(parked), "line": line_of(parked.handler, parked.subject)}
        async with self._connection.reaching():
            while await self._parked.find_one({"_id": document["_id"]}, {"_id": 1}) is None:
                # Taken: another one was faster at the end of the line.
                with suppress(DuplicateKeyError):
                    await self._parked.insert_one(document | await self._end_of(document["line"]))

    async def first(self, handler: str, subject: str) -> Parked | None:
        in_order = [("position", ASCENDING)]
        async with self._connection.reaching():
            raw = await self._parked.find_one({"line": line_of(handler, subject)}, _FIELDS, sort=in_order)
        return Parked(**raw) if raw is not None else None

    async def remove(self, parked: Parked) -> None:
        async with self._connection.reaching():
            await self._parked.delete_one({"_id": _id(parked)})

    async def _parked_lines(self, asked: Raw) -> set[Place]:
        async with self._connection.reaching():
            return {handler_and_subject(line) for line in await self._parked.distinct("line", asked)}

    async def _end_of(self, line: str) -> Raw:
        last = await self._parked.find_one({"line": line}, {"position": 1}, sort=[("position", DESCENDING)])
        return {"position": last["position"] + 1 if last is not None else 1}


def _id(parked: Parked) -> str:
    return f"{line_of(parked.handler, parked.subject)} {parked.event_id}"
