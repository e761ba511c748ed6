"""Pure decisions: what a token does, what a state allows, when two requests are the same."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel

from sandbox.psp.errors import error_body, idempotency_mismatch, provider_error, unknown_token
from sandbox.psp.models import Authorization, Authorize, Entry, Kind, Part, Void

OK, TIMEOUT, ERROR_ONCE, SLOW = "tok_ok", "tok_timeout", "tok_error_once", "tok_slow"

DECLINES = {
    "tok_declined": ("declined", "The card was declined."),
    "tok_insufficient_funds": ("insufficient_funds", "The card has insufficient funds."),
    "tok_action_required": ("authentication_required", "The cardholder has to authenticate."),
}
TOKENS = {OK, TIMEOUT, ERROR_ONCE, SLOW, *DECLINES}


@dataclass(frozen=True)
class Call:
    """One request as idempotency sees it."""

    key: str
    path: str
    fingerprint: str
    time: datetime


class Change(Protocol):
    def __call__(self, call: Call, authorization: Authorization, amount: int | None) -> Entry: ...


def fingerprint(path: str, asked: BaseModel) -> str:
    """Equal for two requests with the same meaning, whatever their spacing or field order."""
    return hashlib.sha256(f"{path}\n{asked.model_dump_json()}".encode()).hexdigest()


def must_match(known: str, asked: str) -> None:
    if known != asked:
        raise idempotency_mismatch()


def must_be_known(token: str) -> None:
    if token not in TOKENS:
        raise unknown_token(token)


def authorize(call: Call, wanted: Authorize, authorization_id: str) -> Entry:
    decline = DECLINES.get(wanted.token)
    entry = Entry(
        time=call.time,
        kind=Kind.DECLINED if decline else Kind.AUTHORIZED,
        authorization_id=authorization_id,
        amount=wanted.amount,
        currency=wanted.currency,
        reference=wanted.reference,
        decline_code=decline[0] if decline else None,
        key=call.key,
        fingerprint=call.fingerprint,
        path=call.path,
        status=402 if decline else 201,
        body="",
    )
    body = error_body(*decline) if decline else opened(entry, authorization_id).body()
    return entry.model_copy(update={"body": body})


def fault(call: Call, wanted: Authorize) -> Entry:
    """The note that tok_error_once has failed for this key; its answer is not stored for replay."""
    error = provider_error()
    return Entry(
        time=call.time,
        kind=Kind.FAULTED,
        authorization_id=None,
        amount=wanted.amount,
        currency=wanted.currency,
        reference=wanted.reference,
        key=call.key,
        fingerprint=call.fingerprint,
        path=call.path,
        status=error.status,
        body=error_body(error.code, error.message),
    )


def capture(call: Call, authorization: Authorization, amount: int | None) -> Entry:
    """One capture an authorization, whole or part; what is left of it is released."""
    if authorization.status != "authorized":
        return _wrong_state(call, authorization, "captured")
    amount = authorization.amount if amount is None else amount
    if amount > authorization.amount:
        return _too_large(call, authorization, authorization.amount)
    return _moved(call, authorization, Kind.CAPTURED, amount)


def void(call: Call, authorization: Authorization, amount: int | None = None) -> Entry:
    if authorization.status == "voided":
        return _entry(call, authorization, Kind.ANSWERED, 0, 200, authorization.body())
    if authorization.status != "authorized":
        return _wrong_state(call, authorization, "voided")
    return _moved(call, authorization, Kind.VOIDED, authorization.amount)


def refund(call: Call, authorization: Authorization, amount: int | None) -> Entry:
    """Any number of refunds, up to what was captured."""
    left = authorization.captured - authorization.refunded
    if authorization.status != "captured" or (amount is None and left == 0):
        return _wrong_state(call, authorization, "refunded")
    amount = left if amount is None else amount
    if amount > left:
        return _too_large(call, authorization, left)
    return _moved(call, authorization, Kind.REFUNDED, amount)


CHANGES: dict[str, Change] = {"capture": capture, "void": void, "refund": refund}


def amount_of(asked: Part | Void) -> int | None:
    return asked.amount if isinstance(asked, Part) else None


def opened(entry: Entry, authorization_id: str) -> Authorization:
    return Authorization(
        id=authorization_id,
        status="declined" if entry.kind is Kind.DECLINED else "authorized",
        amount=entry.amount,
        currency=entry.currency,
        reference=entry.reference,
        created_at=entry.time,
        decline_code=entry.decline_code,
    )


def moved(authorization: Authorization, kind: Kind, amount: int) -> Authorization:
    """The authorization after the effect: the same rule for the answer and for a replay of the ledger."""
    match kind:
        case Kind.CAPTURED:
            update: dict[str, object] = {"status": "captured", "captured": authorization.captured + amount}
        case Kind.VOIDED:
            update = {"status": "voided"}
        case Kind.REFUNDED:
            update = {"refunded": authorization.refunded + amount}
        case _:
            update = {}
    return authorization.model_copy(update=update)


def _moved(call: Call, authorization: Authorization, kind: Kind, amount: int) -> Entry:
    return _entry(call, authorization, kind, amount, 200, moved(authorization, kind, amount).body())


def _wrong_state(call: Call, authorization: Authorization, verb: str) -> Entry:
    spent = " and refunded in full" if authorization.captured == authorization.refunded > 0 else ""
    message = f"An authorization that is {authorization.status}{spent} cannot be {verb}."
    return _entry(call, authorization, Kind.ANSWERED, 0, 409, error_body("wrong_state", message))


def _too_large(call: Call, authorization: Authorization, left: int) -> Entry:
    body = error_body("amount_too_large", f"At most {left} is left.")
    return _entry(call, authorization, Kind.ANSWERED, 0, 409, body)


def _entry(
    call: Call, authorization: Authorization, kind: Kind, amount: int, status: int, body: str
) -> Entry:
    return Entry(
        time=call.time,
        kind=kind,
        authorization_id=authorization.id,
        amount=amount,
        currency=authorization.currency,
        reference=authorization.reference,
        key=call.key,
        fingerprint=call.fingerprint,
        path=call.path,
        status=status,
        body=body,
    )
