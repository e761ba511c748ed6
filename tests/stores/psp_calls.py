"""The sandbox provider's real process, and a caller of its HTTP API."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPMethod
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

ROOT = Path(__file__).parents[2]
API_KEY = "sandbox-key"
PATH = "/v1/authorizations"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"


@dataclass(frozen=True)
class Psp:
    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession
    host: str
    port: int

    async def call(self, method: HTTPMethod, path: str, **options: Any) -> Answer:
        async with self.session.request(method, path, **options) as response:
            return Answer(response.status, await response.read(), response.headers)

    async def get(self, path: str, **query: str) -> Answer:
        return await self.call(HTTPMethod.GET, path, params=query)

    async def post(self, path: str, key: str, body: object) -> Answer:
        return await self.call(HTTPMethod.POST, path, headers={"Idempotency-Key": key}, json=body)

    async def authorize(self, key: str, token: str = "tok_ok", **changes: object) -> Answer:
        return await self.post(PATH, key, order(token) | changes)

    async def authorized(self) -> str:
        answer = await self.authorize(new_key())
        assert answer.status == 201
        return f"{PATH}/{answer.json['id']}"

    async def found(self, key: str) -> list[Any]:
        return list((await self.get(PATH, idempotency_key=key)).json["items"])

    async def ledger(self, **of: str) -> list[Any]:
        items = (await self.get("/v1/ledger")).json["items"]
        return [item for item in items if of.items() <= item.items()]

    @asynccontextmanager
    async def unanswered(self, key: str, token: str) -> AsyncIterator[None]:
        """A request has been sent and nobody reads its answer; the caller hangs up at the end."""
        body = json.dumps(order(token)).encode()
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: psp\r\nAuthorization: Bearer {API_KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Idempotency-Key: {key}\r\nExpect: 100-continue\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(head.encode())
            # It has the request in its hands: whatever is sent from here on comes behind it.
            await reader.readuntil(b"\r\n\r\n")
            writer.write(body)
            await writer.drain()
            yield
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def settled(self, key: str, token: str) -> Answer:
        """Ask again, as a caller would, until the key is no longer in flight."""
        while (answer := await self.authorize(key, token)).status == 409:
            assert (answer.code, answer.headers["Retry-After"]) == ("idempotency_in_flight", "1")
        return answer

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


def order(token: str = "tok_ok") -> dict[str, object]:
    return {"amount": 1000, "currency": "EUR", "token": token, "reference": "order-1"}


def new_key() -> str:
    return uuid4().hex


async def spawn(ledger: Path, **environment: str) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MICROMART_")}
    settings = {"MICROMART_PORT": "0", "MICROMART_PSP_LEDGER": str(ledger)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox.psp",
        cwd=ROOT,
        env=inherited | settings | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(ledger: Path, slow: str = "0.5", **environment: str) -> AsyncIterator[Psp]:
    keyed = {"MICROMART_PSP_API_KEY": API_KEY, "MICROMART_PSP_SLOW_SECONDS": slow}
    process = await spawn(ledger, **(environment or keyed))
    try:
        assert process.stdout is not None
        listening = re.search(r"http://([\d.]+):(\d+)", (await process.stdout.readline()).decode())
        assert listening, (await process.communicate())[1].decode()
        host, port = listening[1], int(listening[2])
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with aiohttp.ClientSession(f"http://{host}:{port}", headers=headers) as session:
            yield Psp(process, session, host, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
