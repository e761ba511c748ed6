"""The sandbox provider, over HTTP."""

import aiohttp
from pydantic import BaseModel, ValidationError

from contracts.errors import Unavailable
from contracts.money import Money
from services.payments.provider import Authorization, Declined, Held


class _Authorization(BaseModel):
    id: str
    status: str
    decline_code: str | None = None


class _Authorizations(BaseModel):
    items: list[_Authorization]


class _Error(BaseModel):
    code: str
    message: str


class _ErrorBody(BaseModel):
    error: _Error


class UnexpectedAnswer(Exception):
    """The provider answered what its contract does not allow: a bug, for a person to see."""


# Refusals that no repetition can turn into a yes; the rest of the 4xx would be our own bug.
_FINAL = frozenset(
    {"declined", "insufficient_funds", "authentication_required", "unknown_token", "invalid_request"}
)


class SandboxProvider:
    """Talks to the sandbox PSP with bounded waits."""

    name = "sandbox"

    def __init__(self, session: aiohttp.ClientSession, base_url: str, *, timeout_seconds: float) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def authorize(self, *, key: str, amount: Money, token: str, reference: str) -> Authorization:
        status, raw = await self._call(
            "POST",
            "/v1/authorizations",
            key=key,
            body={
                "amount": amount.amount,
                "currency": amount.currency,
                "token": token,
                "reference": reference,
            },
        )
        if status < 300:
            return Held(_Authorization.model_validate_json(raw).id)
        error = _error_in(raw)
        if error.code in _FINAL:
            return Declined(error.code)
        raise UnexpectedAnswer(f"authorize answered {status}: {error.code}")

    async def find(self, *, key: str) -> Authorization | None:
        status, raw = await self._call("GET", "/v1/authorizations", query={"idempotency_key": key})
        if status != 200:
            raise UnexpectedAnswer(f"the look-up answered {status}")
        for found in _Authorizations.model_validate_json(raw).items:
            if found.status == "declined":
                return Declined(found.decline_code or "declined")
            return Held(found.id)
        return None

    async def void(self, *, key: str, provider_id: str) -> None:
        await self._command(provider_id, "void", key, {})

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> None:
        await self._command(provider_id, "capture", key, {"amount": amount.amount})

    async def refund(self, *, key: str, provider_id: str, amount: Money) -> None:
        await self._command(provider_id, "refund", key, {"amount": amount.amount})

    async def _command(self, provider_id: str, verb: str, key: str, body: dict[str, int]) -> None:
        status, raw = await self._call(
            "POST", f"/v1/authorizations/{provider_id}/{verb}", key=key, body=dict(body)
        )
        if status >= 300:
            raise UnexpectedAnswer(f"{verb} answered {status}: {_error_in(raw).code}")

    async def _call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        body: dict[str, int | str] | None = None,
        query: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        headers = {"idempotency-key": key} if key is not None else {}
        try:
            async with self._session.request(
                method,
                self._base_url + path,
                json=body,
                params=query,
                headers=headers,
                timeout=self._timeout,
            ) as response:
                raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(
                "the payment provider did not answer; what happened there is unknown"
            ) from error
        if response.status >= 500 or response.status == 429:
            raise Unavailable(f"the payment provider answered {response.status}")
        if response.status == 409 and _error_in(raw).code == "idempotency_in_flight":
            raise Unavailable("the payment provider is still working on this very request", retry_after=1)
        return response.status, raw


def _error_in(raw: bytes) -> _Error:
    try:
        return _ErrorBody.model_validate_json(raw).error
    except ValidationError:
        return _Error(code="unreadable", message="the error body cannot be read")
