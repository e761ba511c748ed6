"""What the provider refuses, with the status and code it says so with."""

import json


def error_body(code: str, message: str) -> str:
    return json.dumps({"error": {"code": code, "message": message}}, separators=(",", ":"))


class RefusalError(Exception):
    """An answer that is an error and is not stored under an idempotency key."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


class LedgerError(Exception):
    """The ledger file cannot be read or written; what was asked may or may not have happened."""


def unknown_token(token: str) -> RefusalError:
    return RefusalError(400, "unknown_token", f"No such token: {token!r}.")


def not_found(authorization_id: str) -> RefusalError:
    return RefusalError(404, "not_found", f"No such authorization: {authorization_id!r}.")


def wrong_state(message: str) -> RefusalError:
    return RefusalError(409, "wrong_state", message)


def idempotency_mismatch() -> RefusalError:
    return RefusalError(400, "idempotency_mismatch", "This Idempotency-Key was used for a different request.")


def idempotency_in_flight() -> RefusalError:
    message = "A request with this Idempotency-Key is still executing."
    return RefusalError(409, "idempotency_in_flight", message, {"Retry-After": "1"})


def provider_error() -> RefusalError:
    return RefusalError(500, "provider_error", "Something went wrong on our side.")
