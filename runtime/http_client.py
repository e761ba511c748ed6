"""Calls between our own processes: pooled, with a deadline and a proof always, trace and caller passed on."""

from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from contracts.errors import Refusal, Refused, Unavailable
from contracts.identity import IDENTITY_HEADER, SERVICE_HEADER, Identity
from contracts.problems import Problem, kind_of
from runtime.answers import read_within
from runtime.identity import IdentitySigner
from runtime.logs import get_logger
from runtime.service_identity import ServiceNotAllowed, ServiceProof, UnknownService
from runtime.settings import Settings
from runtime.trace import TRACEPARENT_HEADER, current_traceparent

log = get_logger(__name__)

Answer = TypeVar("Answer", bound=BaseModel)

# Many times what any of our services answers another.
LARGEST_ANSWER_BYTES = 8 * 1_048_576
# A peer that does not take us for ours: a deployment's mistake, and nothing that our own caller did.
_NOT_OURS = frozenset({UnknownService.code, ServiceNotAllowed.code})


class ServiceClient:
    """A peer service by its base URL and name; its refusals are raised here as what they were there.

    Errors name the peer and never its address, which is ours to know, or the path, which may hold a guest's
    cart id. Only one that passes a caller on is given a signer.
    """

    def __init__(
        self, base_url: str, peer: str, proof: ServiceProof, signer: IdentitySigner | None = None
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._peer = peer
        self._proof = proof
        self._signer = signer
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def between(
        cls, settings: Settings, caller: str, peer: str, signer: IdentitySigner | None = None
    ) -> Self:
        """The client with which one of our services asks another, where the settings say that it is."""
        proof = ServiceProof(settings.secret("service_secret"), caller)
        return cls(settings.url_of(peer), peer, proof, signer)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        *,
        body: BaseModel | None = None,
        identity: Identity | None = None,
        timeout: float = 3.0,
    ) -> Answer:
        """Call the peer once; a refusal is raised as Refused, an outage or a wrong answer as Unavailable."""
        if self._session is None:
            raise RuntimeError("a ServiceClient is used inside `async with`")
        headers = {
            "content-type": "application/json",
            SERVICE_HEADER: self._proof.for_listener(self._peer),
        }
        if (traceparent := current_traceparent()) is not None:
            headers[TRACEPARENT_HEADER] = traceparent
        if identity is not None:
            if self._signer is None:
                raise RuntimeError("a ServiceClient without a signer cannot pass a caller on")
            headers[IDENTITY_HEADER] = self._signer.sign(identity)
        try:
            async with self._session.request(
                method,
                self._base_url + path,
                data=body.model_dump_json() if body is not None else None,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                raw = await read_within(response, LARGEST_ANSWER_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._report(type(error).__name__)
            raise Unavailable(f"the {self._peer} service did not answer in time") from error
        if response.status >= 400:
            raise self._refusal_in(raw, response.status)
        try:
            return answer.model_validate_json(raw)
        except ValidationError as error:
            self._report(f"answered {response.status}, which cannot be read")
            raise Unavailable(
                f"the {self._peer} service answered what this version does not understand"
            ) from error

    def _refusal_in(self, raw: bytes, status: int) -> Exception:
        try:
            problem = Problem.model_validate_json(raw)
        except ValidationError:
            reason = f"answered {status} without a problem"
        else:
            if status < 500 and problem.code not in _NOT_OURS:
                return Refused(
                    Refusal(
                        code=problem.code, kind=kind_of(status), detail=problem.detail, errors=problem.errors
                    )
                )
            reason = f"answered {status} {problem.code}: {problem.detail}"
        self._report(reason)
        return Unavailable(f"the {self._peer} service does not work, try again")

    def _report(self, reason: str) -> None:
        """Where and why it failed is for us to know: what is raised may be told to buyers."""
        log.warning("a peer failed", peer=self._peer, address=self._base_url, reason=reason)
