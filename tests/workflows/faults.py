"""Faults that a test can order: an activity that fails before or after its effect, or that has to wait."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor


@dataclass
class Gate:
    """Holds an activity at a point: `reached` when it is there, goes on when `opened`."""

    reached: asyncio.Event
    opened: asyncio.Event


class Faults(Interceptor):
    """Faults by activity name; an activity that nobody named runs as it is."""

    def __init__(self) -> None:
        self._before: dict[str, list[Exception]] = defaultdict(list)
        self._after: dict[str, list[Exception]] = defaultdict(list)
        self._always: dict[str, Exception] = {}
        self._gates_before: dict[str, Gate] = {}
        self._gates_after: dict[str, Gate] = {}
        self.attempts: dict[str, int] = defaultdict(int)

    def fail_before(self, name: str, error: Exception | None = None, times: int = 1) -> None:
        """The activity fails without having done anything."""
        self._before[name] += [error or outage()] * times

    def fail_after(self, name: str, error: Exception | None = None, times: int = 1) -> None:
        """The activity does its work and its answer is lost."""
        self._after[name] += [error or outage()] * times

    def always_fail(self, name: str, error: Exception | None = None) -> None:
        self._always[name] = error or outage()

    def heal(self, name: str) -> None:
        self._always.pop(name, None)

    def hold_before(self, name: str) -> Gate:
        gate = self._gates_before[name] = Gate(asyncio.Event(), asyncio.Event())
        return gate

    def hold_after(self, name: str) -> Gate:
        gate = self._gates_after[name] = Gate(asyncio.Event(), asyncio.Event())
        return gate

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Faulty(next, self)

    async def run(self, name: str, perform: Callable[[], Any]) -> Any:
        self.attempts[name] += 1
        await _pass(self._gates_before.get(name))
        if name in self._always:
            raise self._always[name]
        if self._before[name]:
            raise self._before[name].pop()
        result = await perform()
        await _pass(self._gates_after.get(name))
        if self._after[name]:
            raise self._after[name].pop()
        return result


class _Faulty(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, faults: Faults) -> None:  # noqa: A002
        super().__init__(next)
        self._faults = faults

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        name = activity.info().activity_type
        return await self._faults.run(name, lambda: super(_Faulty, self).execute_activity(input))


async def _pass(gate: Gate | None) -> None:
    if gate is not None:
        gate.reached.set()
        await gate.opened.wait()


def outage() -> Exception:
    """What a crash or a lost connection looks like to Temporal: retried."""
    return ConnectionError("the connection was lost")


def outage_without_patience() -> Exception:
    """The same, tried again at once: its attempts run out before a test does."""
    return ApplicationError("the connection was lost", next_retry_delay=timedelta(milliseconds=1))


def refusal(code: str = "test.refused") -> Exception:
    """What Temporal does not retry."""
    return ApplicationError("no", type=code, non_retryable=True)
