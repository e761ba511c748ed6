"""What the gateway does on one core: every request carries a JWT, over an upstream that does nothing."""

import asyncio
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import IO, cast
from uuid import uuid4

import aiohttp
import uvloop
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from api.gateway.__main__ import main as run_gateway
from contracts.auth import ACCESS_TOKEN_TYPE, AUDIENCE, ISSUER, SIGNING_ALGORITHM
from contracts.topology import SERVICES
from runtime.settings import PREFIX, Settings
from runtime.web import serve

CONNECTIONS = 32
TOKENS = 50
WARM_UP_SECONDS = 0.5
START_SECONDS = 20.0
PATH = "/v1/orders"
_JWKS = "MICROMART_BENCH_JWKS"
_BODY = b'{"items":[],"next_cursor":null}'


class GatewayFigures(BaseModel):
    """The median run; latencies are of that run, errors of all."""

    requests_per_second: float
    upstream_direct_rps: float
    p50_ms: float
    p99_ms: float
    errors: int


class Load(BaseModel):
    """What a load generator process is told."""

    port: int
    core: int
    seconds: float
    tokens: list[str]


class Run(BaseModel):
    """What it measured."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


async def measure_gateway(seconds: float, runs: int) -> GatewayFigures:
    """Measure the real gateway process, alone on its core; the load and the upstream share another."""
    cores = sorted(os.sched_getaffinity(0))
    gateway_core, other_core = cores[0], cores[-1]
    key = ECKey.generate_key("P-256", {"kid": "bench", "use": "sig", "alg": "ES256"})
    tokens = [_token(key) for _ in range(TOKENS)]
    gateway_port, upstream_port = _free_port(), _free_port()
    upstream_url = f"http://127.0.0.1:{upstream_port}"
    urls = {f"{PREFIX}{service.name.upper()}_URL": upstream_url for service in SERVICES}
    secret = {f"{PREFIX}IDENTITY_SECRET": uuid4().hex, _JWKS: json.dumps({"keys": [key.as_dict(False)]})}
    with tempfile.TemporaryFile() as access_log:
        async with (
            _process("upstream", other_core, upstream_port, secret, access_log),
            _process("gateway", gateway_core, gateway_port, secret | urls, access_log),
        ):
            # The core that is not the upstream's is free while nobody asks the gateway.
            direct = await _load(
                Load(port=upstream_port, core=gateway_core, seconds=min(seconds, 2.0), tokens=tokens)
            )
            through = [
                await _load(Load(port=gateway_port, core=other_core, seconds=seconds, tokens=tokens))
                for _ in range(runs)
            ]
    median = sorted(through, key=lambda run: run.requests_per_second)[len(through) // 2]
    return GatewayFigures(
        requests_per_second=median.requests_per_second,
        upstream_direct_rps=direct.requests_per_second,
        p50_ms=median.p50_ms,
        p99_ms=median.p99_ms,
        errors=sum(run.errors for run in through),
    )


@asynccontextmanager
async def _process(
    role: str, core: int, port: int, environment: Mapping[str, str], log: IO[bytes]
) -> AsyncIterator[None]:
    """A process of this module in its role, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *_command(role, str(core)),
        env=os.environ | environment | {f"{PREFIX}PORT": str(port)},
        stdout=log,
    )
    try:
        await _until_ready(process, port)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _until_ready(process: asyncio.subprocess.Process, port: int) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(START_SECONDS):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"a process of the benchmark ended with {process.returncode}")
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


async def _load(load: Load) -> Run:
    process = await asyncio.create_subprocess_exec(
        *_command("load"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(load.seconds + START_SECONDS):
            output, _ = await process.communicate(load.model_dump_json().encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Run.model_validate_json(output)


def _command(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "proof.gateway_bench", *arguments)


def _token(key: ECKey) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(uuid4()),
        "roles": ["customer"],
        "sid": str(uuid4()),
        "iat": now,
        "exp": now + 3600,
        "jti": str(uuid4()),
    }
    return jwt.encode({"alg": SIGNING_ALGORITHM, "kid": "bench", "typ": ACCESS_TOKEN_TYPE}, claims, key)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _upstream(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers everything at once; the keys, where they are asked for."""
    if scope["type"] != "http":
        return
    body = os.environ[_JWKS].encode() if scope["path"].endswith("jwks.json") else _BODY
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Caller(asyncio.Protocol):
    """One keep-alive connection: a request, its whole answer, the next request."""

    def __init__(self, requests: list[bytes], first: int, measured: "_Measured") -> None:
        self._requests = requests
        self._next = first
        self._measured = measured
        self._received = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's class.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        self._measured.answered(head.startswith(b"HTTP/1.1 200 "), self._sent_at)
        self._received = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._measured.errors += 1

    def _send(self) -> None:
        self._next = (self._next + 1) % len(self._requests)
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests[self._next])


class _Measured:
    """The latencies since the warm-up, and what was not a 200."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.errors = 0

    def answered(self, good: bool, sent_at: float) -> None:
        self.milliseconds.append((time.perf_counter() - sent_at) * 1000)
        self.errors += not good


async def _generate(load: Load) -> Run:
    requests = [
        f"GET {PATH} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        for token in load.tokens
    ]
    loop = asyncio.get_running_loop()
    measured = _Measured()
    for number in range(CONNECTIONS):
        caller = partial(_Caller, requests, number, measured)
        await loop.create_connection(caller, "127.0.0.1", load.port)
    await asyncio.sleep(WARM_UP_SECONDS)
    measured.milliseconds.clear()
    started = time.perf_counter()
    await asyncio.sleep(load.seconds)
    elapsed = time.perf_counter() - started
    milliseconds = measured.milliseconds
    if len(milliseconds) < 2:
        return Run(requests_per_second=0, p50_ms=0, p99_ms=0, errors=max(1, measured.errors))
    percentiles = statistics.quantiles(milliseconds, n=100)
    return Run(
        requests_per_second=round(len(milliseconds) / elapsed, 1),
        p50_ms=round(percentiles[49], 2),
        p99_ms=round(percentiles[98], 2),
        errors=measured.errors,
    )


def main(arguments: list[str]) -> None:
    """Measure and print; with a role, be one of the processes that the measurement consists of."""
    match arguments:
        case []:
            print(asyncio.run(measure_gateway(seconds=5, runs=3)).model_dump_json(indent=2))
        case ["upstream", core]:
            os.sched_setaffinity(0, {int(core)})
            serve(_upstream, Settings(), default_port=0)
        case ["gateway", core]:
            os.sched_setaffinity(0, {int(core)})
            run_gateway()
        case ["load"]:
            load = Load.model_validate_json(sys.stdin.buffer.read())
            os.sched_setaffinity(0, {load.core})
            print(uvloop.run(_generate(load)).model_dump_json())
        case _:
            raise SystemExit(f"not a role: {' '.join(arguments)}")


if __name__ == "__main__":
    main(sys.argv[1:])
