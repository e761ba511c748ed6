"""Pure decisions: what a token does, what a state allows, when two requests are the same."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel

from sandbox.psp import tokens
from sandbox.psp.errors import error_body, idempotency_mismatch, provider_error, unknown_token, wrong_state
from sandbox.psp.models import Act, Authorization, Authorize, Entry, Kind, Part, Void

# What the bank says of a buyer who declined on its page.
NOT_AUTHENTICATED = "authentication_failed"


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
    if token not in tokens.KNOWN:
        raise unknown_token(token)


def authorize(call: Call, wanted: Authorize, authorization_id: str, base_url: str) -> Entry:
    decline = tokens.DECLINES.get(wanted.token)
    kind = Kind.DECLINED if decline else Kind.AUTHORIZED
    action_url = None
    if wanted.token == tokens.ACTION_REQUIRED:
        kind, action_url = Kind.REQUIRES_ACTION, f"{base_url}/v1/actions/{authorization_id}"
    entry = Entry(
        time=call.time,
        kind=kind,
        authorization_id=authorization_id,
        amount=wanted.amount,
        currency=wanted.currency,
        reference=wanted.reference,
        decline_code=decline[0] if decline else None,
        action_url=action_url,
        refuses_capture=True if wanted.token == tokens.CAPTURE_FAILS else None,
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
    if authorization.refuses_capture:
        body = error_body(
            "capture_declined", "The bank does not give the amount now; another try may succeed."
        )
        return _entry(call, authorization, Kind.CAPTURE_DECLINED, 0, 402, body)
    return _moved(call, authorization, Kind.CAPTURED, amount)


def void(call: Call, authorization: Authorization, amount: int | None = None) -> Entry:
    """Let go of what is held, or of what the buyer has not acted on: then nothing was."""
    if authorization.status == "requires_action":
        return _moved(call, authorization, Kind.VOIDED, 0)
    if authorization.status == "voided":
        return _entry(call, authorization, Kind.ANSWERED, 0, 200, authorization.body())
    if authorization.status != "authorized":
        return _wrong_state(call, authorization, "voided")
    return _moved(call, authorization, Kind.VOIDED, authorization.amount)


def act(call: Call, authorization: Authorization, outcome: Act) -> Entry | None:
    """What the buyer's act leads to, None when they had done just that; refused once it is too late."""
    kind = Kind.AUTHORIZED if outcome.outcome == "approve" else Kind.DECLINED
    if authorization.status == kind.value:
        return None
    if authorization.status != "requires_action":
        raise wrong_state(f"An authorization that is {authorization.status} waits for no action.")
    return _moved(call, authorization, kind, authorization.amount)


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


_OPENED_AS: dict[Kind, Literal["requires_action", "authorized", "declined"]] = {
    Kind.REQUIRES_ACTION: "requires_action",
    Kind.AUTHORIZED: "authorized",
    Kind.DECLINED: "declined",
}


def opened(entry: Entry, authorization_id: str) -> Authorization:
    return Authorization(
        id=authorization_id,
        status=_OPENED_AS[entry.kind],
        amount=entry.amount,
        currency=entry.currency,
        reference=entry.reference,
        created_at=entry.time,
        decline_code=entry.decline_code,
        action_url=entry.action_url,
        refuses_capture=entry.refuses_capture or False,
    )


def moved(authorization: Authorization, kind: Kind, amount: int) -> Authorization:
    """The authorization after the effect: the same rule for the answer and for a replay of the ledger."""
    match kind:
        case Kind.AUTHORIZED:
            update: dict[str, object] = {"status": "authorized", "action_url": None}
        case Kind.DECLINED:
            update = {"status": "declined", "action_url": None, "decline_code": NOT_AUTHENTICATED}
        case Kind.CAPTURED:
            update = {"status": "captured", "captured": authorization.captured + amount}
        case Kind.CAPTURE_DECLINED:
            update = {"refuses_capture": False}
        case Kind.VOIDED:
            update = {"status": "voided", "action_url": None}
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
