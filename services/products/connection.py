"""MongoDB: one client a process, and an outage of the server as Unavailable within seconds."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from beanie import Document, init_beanie
from pymongo import AsyncMongoClient, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import ConnectionFailure, PyMongoError

from contracts.errors import Unavailable
from runtime.cancellation import heeding_cancellation

Raw = dict[str, Any]

SERVER_SELECTION_MS = 1_500
OPERATION_MS = 3_000
INDEXES_MADE = "indexes_made"


class Connection:
    """A service's own Mongo database, connected with the first call: the server may be down now."""

    def __init__(
        self, url: str, database: str, documents: Sequence[type[Document]], *, pool_size: int
    ) -> None:
        self._client: AsyncMongoClient[Raw] = AsyncMongoClient(
            url,
            tz_aware=True,
            maxPoolSize=pool_size,
            serverSelectionTimeoutMS=SERVER_SELECTION_MS,
            timeoutMS=OPERATION_MS,
        )
        self._database = self._client[database]
        self._documents = documents
        self._initialised = False

    @asynccontextmanager
    async def reaching(self) -> AsyncIterator[None]:
        """Around every operation: what is wrong with the server itself surfaces as Unavailable."""
        with heeding_cancellation():
            try:
                if not self._initialised:
                    await init_beanie(
                        database=self._database, document_models=list(self._documents), skip_indexes=True
                    )
                    self._initialised = True
                yield
            except PyMongoError as error:
                if isinstance(error, ConnectionFailure) or error.timeout:
                    raise Unavailable("the catalog's database cannot be reached, try again") from error
                raise

    def collection(self, document: type[Document]) -> AsyncCollection[Raw]:
        """A document's collection on this client: Beanie's own belongs to whoever connected last."""
        return self._database[document.Settings.name]

    async def ping(self) -> None:
        """Raise Unavailable unless the server answers and has the unique indexes that hold the rules."""
        async with self.reaching():
            for document in self._documents:
                existing = await self.collection(document).index_information()
                keys = [list(index["key"]) for index in existing.values()]
                if any(key not in keys for key in _unique_keys(document)):
                    raise Unavailable("the catalog has no unique indexes yet: migrate it first")

    async def create_indexes(self) -> list[str]:
        """Create the indexes that were not made yet; the names of those made. Safe to repeat.

        What was made is written down, as not every server can list a text index or make it a second time.
        """
        made = self._database[INDEXES_MADE]
        known = {entry["_id"] for entry in await made.find().to_list()}
        missing = [
            (document, index, name)
            for document in self._documents
            for index in _declared(document)
            if (name := f"{document.Settings.name}.{index.document['name']}") not in known
        ]
        for document, index, name in missing:
            await self.collection(document).create_indexes([index])
            await made.replace_one({"_id": name}, {"_id": name}, upsert=True)
        return sorted(name for _, _, name in missing)

    async def close(self) -> None:
        await self._client.close()


def _declared(document: type[Document]) -> Sequence[IndexModel]:
    indexes: Sequence[IndexModel] = getattr(document.Settings, "indexes", ())
    return indexes


def _unique_keys(document: type[Document]) -> list[list[tuple[str, int]]]:
    declared = [index.document for index in _declared(document)]
    return [list(index["key"].items()) for index in declared if index.get("unique")]
