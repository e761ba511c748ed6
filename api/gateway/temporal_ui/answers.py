"""What of the UI's answers is passed back, and what browsers are told about them."""

import base64
import hashlib
import re

from pydantic import JsonValue, TypeAdapter

from api.gateway.head import passed_back
from api.gateway.temporal_ui.rules import ASSETS, FRAMED

# Its cookie is for a check of origins that the gateway has done; the others contradict what we say.
_NOT_PASSED_BACK = frozenset(
    {
        b"access-control-allow-credentials",
        b"access-control-allow-origin",
        b"cache-control",
        b"content-security-policy",
        b"referrer-policy",
        b"set-cookie",
        b"vary",
        b"x-frame-options",
        b"x-xss-protection",
    }
)
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_SETTINGS: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])

Pairs = list[tuple[bytes, bytes]]


def headers_for(path: str, received: tuple[tuple[bytes, bytes], ...], request_id: str) -> Pairs:
    """An answer's headers as the browser gets them; a page's policy is added by `page_policy`."""
    headers = [pair for pair in passed_back(received, request_id) if pair[0] not in _NOT_PASSED_BACK]
    # An asset's name changes with its content; all else is as fresh as the workflows that it shows.
    fixed = path.startswith(f"{ASSETS}immutable/")
    headers.append((b"cache-control", b"private, max-age=31536000, immutable" if fixed else b"no-store"))
    headers.append((b"vary", b"Accept-Encoding, Cookie"))
    # Of another policy a browser would send `Origin: null` with the UI's own requests.
    headers.append((b"referrer-policy", b"same-origin"))
    return headers


def page_policy(path: str, page: bytes, said: str | None) -> Pairs:
    """What the UI's page may do: run its own scripts, draw with its own styles, and talk to the gateway."""
    if path == FRAMED:
        # Its own policy runs nothing at all, and lets our pages alone embed it.
        policy = said or "default-src 'none'; frame-ancestors 'self'"
        return [(b"content-security-policy", policy.encode()), (b"x-frame-options", b"SAMEORIGIN")]
    hashes = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page))
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    policy = (
        f"default-src 'none'; script-src 'self' {allowed}; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-src 'self';"
        " manifest-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"x-frame-options", b"DENY"),
    ]


def adapted_settings(body: bytes, *, read_only: bool) -> bytes:
    """The UI's settings: no news from outside, and no buttons for what its reader may not do."""
    settings = _SETTINGS.validate_json(body)
    changes: dict[str, JsonValue] = {"DisableNewsFetch": True}
    if read_only:
        changes["DisableWriteActions"] = True
    return _SETTINGS.dump_json(settings | changes)
