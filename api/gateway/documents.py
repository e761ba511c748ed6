"""The platform's OpenAPI document, asked for at the services seldom and all at once."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
from pydantic import JsonValue, TypeAdapter, ValidationError

from api.gateway.docs import page
from api.gateway.openapi import Object, merge
from api.gateway.routes import Route
from runtime.answers import read_within

FRESH_SECONDS = 30.0
# A document that lacks a service is asked for again soon: the service may just be starting.
FRESH_INCOMPLETE_SECONDS = 2.0
FETCH_SECONDS = 3.0

_OBJECT: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True)
class Document:
    """The platform's document as it is sent: written once, not for each reader."""

    openapi: bytes
    page: bytes

    @classmethod
    def of(cls, merged: Object) -> "Document":
        openapi = json.dumps(merged, ensure_ascii=False, separators=(",", ":"))
        return cls(openapi.encode(), page(merged).encode())


class Documents:
    """Fetches what each service says of itself and keeps the merged document for a while."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        upstreams: Mapping[str, str],
        routes: Sequence[Route],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._upstreams = upstreams
        self._routes = routes
        self._now = now
        self._lock = asyncio.Lock()
        self._document: Document | None = None
        self._fresh_until = float("-inf")

    async def merged(self) -> Document:
        """One document; a service that is down is left out and named in `x-unavailable`."""
        async with self._lock:
            if self._document is None or self._now() >= self._fresh_until:
                fetched = await asyncio.gather(*map(self._fetch, self._upstreams.values()))
                answers = dict(zip(self._upstreams, fetched, strict=True))
                present = {service: document for service, document in answers.items() if document is not None}
                missing = answers.keys() - present.keys()
                self._document = Document.of(merge(present, self._routes, sorted(missing)))
                self._fresh_until = self._now() + (FRESH_INCOMPLETE_SECONDS if missing else FRESH_SECONDS)
            return self._document

    async def _fetch(self, base_url: str) -> Object | None:
        try:
            async with self._session.get(
                f"{base_url}/openapi.json",
                timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS),
                raise_for_status=True,
            ) as response:
                return _OBJECT.validate_json(await read_within(response))
        except (aiohttp.ClientError, TimeoutError, OSError, ValidationError):
            return None
