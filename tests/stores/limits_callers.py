"""A gateway's limiter in a process of its own: calls as often as it is told, and says how often it could."""

import asyncio
import sys
from pathlib import Path

from api.gateway.limits import Limiter, LimitExceeded, open_limiter
from api.gateway.routes import LimitClass
from runtime.settings import Settings

ROOT = Path(__file__).parents[2]
AT_ONCE = 50
SECRET = "the same for all gateways"
# Slow machines are no reason to count alone where the shared count is the question.
PATIENCE_SECONDS = 10.0


def limits(url: str, rate: str) -> Settings:
    """Settings with one rate for every class, and sign-ins as they are."""
    return Settings.model_validate(
        {
            "identity_secret": SECRET,
            "bus_redis_url": url,
            "limit_read": rate,
            "limit_write": rate,
            "limit_checkout": rate,
            "limit_webhook": rate,
            "limit_sign_in": rate,
            "limit_temporal": rate,
        }
    )


async def admitted(limiter: Limiter, limit_class: LimitClass, principal: str, requests: int) -> int:
    """How many of so many requests pass, many of them at once."""

    async def one_after_another(count: int) -> int:
        passed = 0
        for _ in range(count):
            try:
                await limiter.admit(limit_class, principal)
            except LimitExceeded:
                continue
            passed += 1
        return passed

    return sum(await asyncio.gather(*(one_after_another(requests // AT_ONCE) for _ in range(AT_ONCE))))


async def admitted_by_processes(
    url: str, rate: str, limit_class: LimitClass, principal: str, requests: int, processes: int
) -> list[int]:
    """How many requests each of so many gateway processes admits, all calling at the same moment."""
    arguments = [url, rate, limit_class.value, principal, str(requests)]
    callers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.stores.limits_callers", *arguments),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    for caller in callers:
        assert caller.stdout is not None
        while await caller.stdout.readline() != b"ready\n":
            assert not caller.stdout.at_eof(), "a caller did not start"
    outputs = await asyncio.gather(*(caller.communicate(b"go\n") for caller in callers))
    return [int(output.split()[-1]) for output, _ in outputs]


async def _main(url: str, rate: str, limit_class: str, principal: str, requests: str) -> None:
    async with open_limiter(limits(url, rate), answer_seconds=PATIENCE_SECONDS) as limiter:
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        count = await admitted(limiter, LimitClass(limit_class), principal, int(requests))
        assert limiter.is_shared
        print(count, flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
