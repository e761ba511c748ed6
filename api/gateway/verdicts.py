"""What the end of an exchange says about the service, for its breaker."""

from collections.abc import Mapping
from enum import Enum, auto
from http import HTTPStatus
from types import MappingProxyType

import aiohttp

from api.gateway.errors import UpstreamTimeout, UpstreamUnavailable
from api.gateway.exchange import CLIENT_LEFT
from contracts.problems import PROBLEM_JSON

# Answers of a server that works and was asked for what it does not do.
_WORKING = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED})
_AT_FAULT = (UpstreamUnavailable, UpstreamTimeout, aiohttp.ClientError, TimeoutError, OSError)
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Verdict(Enum):
    SUCCESS = auto()
    FAILURE = auto()
    NEUTRAL = auto()


def what_counts(outcome: int | BaseException, headers: Mapping[str, str] = _NO_HEADERS) -> Verdict:
    """Judge an answer by its status and headers, or the exception that came instead of one.

    A 503 that is a problem is a service's own word that something it needs is down or busy (Kind.BUSY, see
    api/problems.py): carts says so while products is down, and its other routes work. Such an answer neither
    opens a breaker nor closes one. A bare 503 is a server's or a balancer's, and a failure.
    """
    if isinstance(outcome, BaseException):
        # A client's own trouble (it left, its body was too large or too slow) reaches us as other refusals.
        return Verdict.FAILURE if isinstance(outcome, _AT_FAULT) else Verdict.NEUTRAL
    if outcome == CLIENT_LEFT:
        return Verdict.NEUTRAL
    if outcome < 500 or outcome in _WORKING:
        return Verdict.SUCCESS
    if outcome == HTTPStatus.SERVICE_UNAVAILABLE and _is_problem(headers):
        return Verdict.NEUTRAL
    return Verdict.FAILURE


def _is_problem(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").startswith(PROBLEM_JSON)
