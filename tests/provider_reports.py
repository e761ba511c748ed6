"""Webhooks as the sandbox provider signs them, and as a forger might."""

import hashlib
import hmac
import json
from uuid import uuid4

from runtime.clock import utc_now


def report_about(order_id: str, report_id: str | None = None) -> bytes:
    """The body of a webhook about an order."""
    event = {
        "id": report_id or f"evt_{uuid4().hex}",
        "type": "authorized",
        "created": 1,
        "data": {"authorization": "auth_1", "reference": order_id},
    }
    return json.dumps(event).encode()


def signed(body: bytes, secret: str, *, age_seconds: float = 0) -> dict[str, str]:
    """The headers of a webhook that was signed so long ago."""
    at = int(utc_now().timestamp() - age_seconds)
    return {"psp-signature": f"t={at},v1={digest(body, secret, at)}"}


def digest(body: bytes, secret: str, at: int) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
