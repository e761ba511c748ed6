"""The sandbox provider, over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import aiohttp
from pydantic import BaseModel, ValidationError

from contracts.errors import Unavailable
from contracts.money import Money
from runtime.answers import read_within
from services.payments.errors import ForgedWebhook
from services.payments.messages import MessageId, is_order_id, read_message
from services.payments.provider import (
    MAX_ANSWER_BYTES,
    ActionRequired,
    Authorization,
    Declined,
    Held,
    Report,
)
from services.payments.signature import check_signature

SIGNATURE = "psp-signature"
_HELD = frozenset({"authorized", "captured"})


class _Authorization(BaseModel):
    id: str
    status: str
    decline_code: str | None = None
    action_url: str | None = None

    def outcome(self) -> Authorization:
        if self.status == "requires_action":
            return ActionRequired(self.id, self.action_url or "")
        if self.status in ("declined", "voided"):
            return Declined(self.decline_code or self.status)
        if self.status in _HELD:
            return Held(self.id)
        raise UnexpectedAnswer(f"an authorization at the provider is {self.status}")


class _Authorizations(BaseModel):
    items: list[_Authorization]


class _Error(BaseModel):
    code: str
    message: str


class _ErrorBody(BaseModel):
    error: _Error


class _Subject(BaseModel):
    reference: str


class _Webhook(BaseModel):
    id: MessageId
    data: _Subject


@dataclass(frozen=True)
class _Answer:
    """What came back; a replayed one was true when the request first came."""

    status: int
    raw: bytes
    replayed: bool

    @property
    def error(self) -> _Error:
        try:
            return _ErrorBody.model_validate_json(self.raw).error
        except ValidationError:
            return _Error(code="unreadable", message="the error body cannot be read")


class UnexpectedAnswer(Exception):
    """The provider answered what its contract does not allow: a bug, for a person to see."""


# Refusals that no repetition can turn into a yes; the rest of the 4xx would be our own bug.
_FINAL = frozenset({"declined", "insufficient_funds", "unknown_token", "invalid_request"})


class SandboxProvider:
    """Talks to the sandbox PSP with bounded waits."""

    name = "sandbox"

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        *,
        timeout_seconds: float,
        webhook_secret: str | None = None,
        tolerance_seconds: float = 300.0,
    ) -> None:
        """Without `webhook_secret`, whoever sends a webhook is taken for a forger."""
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._webhook_secret = webhook_secret
        self._tolerance_seconds = tolerance_seconds

    async def authorize(self, *, key: str, amount: Money, token: str, reference: str) -> Authorization:
        answer = await self._call(
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
        if answer.status < 300:
            made = _Authorization.model_validate_json(answer.raw)
            return await self._look(made.id) if answer.replayed else made.outcome()
        if answer.error.code in _FINAL:
            return Declined(answer.error.code)
        raise UnexpectedAnswer(f"authorize answered {answer.status}: {answer.error.code}")

    async def find(self, *, key: str) -> Authorization | None:
        answer = await self._call("GET", "/v1/authorizations", query={"idempotency_key": key})
        if answer.status != 200:
            raise UnexpectedAnswer(f"the look-up answered {answer.status}")
        found = _Authorizations.model_validate_json(answer.raw).items
        return found[0].outcome() if found else None

    async def void(self, *, key: str, provider_id: str) -> None:
        answer = await self._change(provider_id, "void", key, {})
        if answer.status < 300:
            return
        if answer.error.code != "wrong_state" or not isinstance(await self._look(provider_id), Declined):
            raise _unexpected("void", answer)

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> Declined | None:
        answer = await self._change(provider_id, "capture", key, {"amount": amount.amount})
        if answer.status < 300:
            return None
        if answer.status == 402:
            return Declined(answer.error.code)
        seen = (await self._seen(provider_id)).status
        if seen == "captured":
            # Not under our key: whether it is this amount, a person has to find out.
            raise _unexpected("capture", answer)
        return Declined(answer.error.code if seen == "authorized" else seen)

    async def refund(self, *, key: str, provider_id: str, amount: Money) -> None:
        answer = await self._change(provider_id, "refund", key, {"amount": amount.amount})
        if answer.status >= 300:
            raise _unexpected("refund", answer)

    def report_in(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report | None:
        if self._webhook_secret is None:
            raise ForgedWebhook("no secret is set with which a webhook could be signed")
        check_signature(
            headers.get(SIGNATURE, ""),
            body,
            secret=self._webhook_secret,
            now=now,
            tolerance_seconds=self._tolerance_seconds,
        )
        webhook = read_message(self.name, _Webhook, body)
        if webhook is None or not is_order_id(webhook.data.reference):
            return None
        return Report(webhook.id, webhook.data.reference)

    async def _look(self, provider_id: str) -> Authorization:
        return (await self._seen(provider_id)).outcome()

    async def _seen(self, provider_id: str) -> _Authorization:
        answer = await self._call("GET", f"/v1/authorizations/{provider_id}")
        if answer.status != 200:
            raise _unexpected("the look-up", answer)
        return _Authorization.model_validate_json(answer.raw)

    async def _change(self, provider_id: str, verb: str, key: str, body: dict[str, int | str]) -> _Answer:
        return await self._call("POST", f"/v1/authorizations/{provider_id}/{verb}", key=key, body=body)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        body: dict[str, int | str] | None = None,
        query: dict[str, str] | None = None,
    ) -> _Answer:
        headers = {"idempotency-key": key} if key is not None else {}
        try:
            async with self._session.request(
                method,
                self._base_url + path,
                json=body,
                params=query,
                headers=headers,
                timeout=self._timeout,
                # Wherever it were sent on to: what is answered there is not the provider's word.
                allow_redirects=False,
            ) as response:
                raw = await read_within(response, MAX_ANSWER_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(
                "the payment provider gave no answer that can be read; what happened there is unknown"
            ) from error
        if response.status >= 500 or response.status == 429:
            raise Unavailable(f"the payment provider answered {response.status}")
        answer = _Answer(response.status, raw, response.headers.get("idempotent-replayed") == "true")
        if answer.status == 409 and answer.error.code == "idempotency_in_flight":
            raise Unavailable("the payment provider is still working on this very request", retry_after=1)
        return answer


def _unexpected(what: str, answer: _Answer) -> UnexpectedAnswer:
    return UnexpectedAnswer(f"{what} answered {answer.status}: {answer.error.code}")
