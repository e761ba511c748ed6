"""A webhook's signature, `t=<unix time>,v1=<hex HMAC-SHA256 of "t.body">`: who sent it, and when."""

import hashlib
import hmac
from datetime import datetime

from services.payments.errors import ForgedWebhook


def check_signature(
    header: str, body: bytes, *, secret: str, now: datetime, tolerance_seconds: float
) -> None:
    """Refuse what the holder of the secret did not sign just now; of several signatures one has to hold."""
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    given = [value for name, _, value in parts if name.strip() == "v1"]
    if len(times) != 1 or not _is_time(times[0]):
        raise ForgedWebhook("the webhook's signature cannot be read")
    expected = hmac.new(secret.encode(), times[0].encode() + b"." + body, hashlib.sha256).hexdigest()
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in given):
        raise ForgedWebhook("the webhook's signature does not hold")
    if abs(now.timestamp() - int(times[0])) > tolerance_seconds:
        raise ForgedWebhook("the webhook was signed too long ago, or by a clock that is wrong")


def _is_time(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 12
