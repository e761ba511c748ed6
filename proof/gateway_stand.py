"""The processes of the gateway's benchmark, each on its core: the gateway as it ships, and all behind it."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import cast
from uuid import uuid4

import uvloop
from joserfc import jwt
from joserfc.jwk import ECKey

from contracts.auth import ACCESS_TOKEN_TYPE, AUDIENCE, ISSUER, SIGNING_ALGORITHM, EndedSessions
from contracts.topology import SERVICES
from proof.errors import CannotMeasure
from runtime.clock import utc_now
from runtime.embedded.forks import without_settings
from runtime.embedded.ports import free_port
from runtime.embedded.probes import HOST, serves
from runtime.embedded.servers import ValkeyServer
from runtime.settings import PREFIX

START_SECONDS = 30.0
END_SECONDS = 20.0
KEY_ID = "bench"
_JWKS = "BENCH_JWKS"
_BODY = b'{"items":[],"next_cursor":null}'


@dataclass(frozen=True)
class Subject:
    """A process that answers the benchmark's requests."""

    name: str
    port: int
    pid: int


@dataclass(frozen=True)
class Cores:
    """The one of what is measured, and the one of all else."""

    measured: int
    others: int

    @classmethod
    def of_this_machine(cls) -> "Cores":
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[-1])


class Tokens:
    """Access tokens of so many users, and such as only claim to be: of the same key id, by another key."""

    def __init__(self, users: int) -> None:
        key, other = _key(), _key()
        self.jwks = json.dumps({"keys": [key.as_dict(False)]})
        self.good = [_token(key) for _ in range(users)]
        self.forged = [_token(other) for _ in range(users)]


def _key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": KEY_ID, "use": "sig", "alg": SIGNING_ALGORITHM})


def _token(key: ECKey) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(uuid4()),
        "roles": ["customer"],
        "sid": str(uuid4()),
        "iat": now,
        "nbf": now,
        "exp": now + 3_600,
        "jti": str(uuid4()),
    }
    return jwt.encode({"alg": SIGNING_ALGORITHM, "kid": KEY_ID, "typ": ACCESS_TOKEN_TYPE}, claims, key)


@asynccontextmanager
async def upstream(cores: Cores, tokens: Tokens, log: Path) -> AsyncIterator[Subject]:
    """One service that stands for all, and does nothing."""
    port = free_port()
    command = (sys.executable, "-m", __name__, str(port))
    async with running(command, cores.others, log, f"http://{HOST}:{port}/", {_JWKS: tokens.jwks}) as pid:
        yield Subject("upstream", port, pid)


@asynccontextmanager
async def valkey(cores: Cores, folder: Path) -> AsyncIterator[Subject]:
    """Where the gateway counts for its limits."""
    server = ValkeyServer("valkey", free_port(), folder / "valkey", durable=False)
    server.prepare()
    async with running(server.command(), cores.others, folder / "valkey.log", server.url) as pid:
        yield Subject("valkey", server.port, pid)


@asynccontextmanager
async def gateway(cores: Cores, behind: Subject, limits: Subject, folder: Path) -> AsyncIterator[Subject]:
    """The gateway with everything on, and what it is not told as it ships; nobody serves inventory."""
    port = free_port()
    secrets = {f"{PREFIX}{name}_SECRET": uuid4().hex for name in ("IDENTITY", "SERVICE", "COOKIE")}
    urls = {f"{PREFIX}{service.name.upper()}_URL": f"http://{HOST}:{behind.port}" for service in SERVICES}
    urls[f"{PREFIX}INVENTORY_URL"] = f"http://{HOST}:{free_port({port})}"
    own = {
        f"{PREFIX}PORT": str(port),
        f"{PREFIX}PUBLIC_URL": "https://shop.example",
        f"{PREFIX}BUS_REDIS_URL": f"redis://{HOST}:{limits.port}",
    }
    command = (sys.executable, "-m", "api.gateway")
    log, probe = folder / "access.log", f"http://{HOST}:{port}/readyz"
    async with running(command, cores.measured, log, probe, secrets | urls | own) as pid:
        yield Subject("gateway", port, pid)


@asynccontextmanager
async def running(
    command: Sequence[str], core: int, log: Path, probe: str, told: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[int]:
    """A process on its core, by its id, from when the probe says that it serves to the block's end."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**without_settings(os.environ), **told},
            start_new_session=True,
            preexec_fn=partial(os.sched_setaffinity, 0, {core}),
        )
    try:
        await _until_it_serves(process, probe, log)
        yield process.pid
    finally:
        await _end(process)


async def _until_it_serves(process: asyncio.subprocess.Process, probe: str, log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not await asyncio.to_thread(serves, probe):
        if process.returncode is not None or time.monotonic() > give_up:
            raise CannotMeasure(f"what was to answer at {probe} does not:\n{_end_of(log)}")
        await asyncio.sleep(0.05)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2_000:].strip()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


class _Upstream(asyncio.Protocol):
    """Answers whatever has no body at once, at a price that leaves its core to the load: the keys, where they
    are asked for, and that no session has ended."""

    def __init__(self, jwks: bytes) -> None:
        self._jwks = _answer(jwks)
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        *heads, self._received = (self._received + data).split(b"\r\n\r\n")
        for head in heads:
            if head.startswith(b"GET /v1/"):
                self._transport.write(_ORDERS)
            elif head.startswith(b"GET /internal/sessions/ended"):
                nothing = EndedSessions(items=(), now=utc_now())
                self._transport.write(_answer(nothing.model_dump_json().encode()))
            else:
                self._transport.write(self._jwks)


def _answer(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    ) + body


_ORDERS = _answer(_BODY)


async def _serve_upstream(port: int) -> None:
    jwks = os.environ[_JWKS].encode()
    server = await asyncio.get_running_loop().create_server(lambda: _Upstream(jwks), HOST, port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve_upstream(int(sys.argv[1])))
