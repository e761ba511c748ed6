"""The pages of the sign-in: plain forms, nothing loaded, nothing that runs."""

import base64
import hashlib
from html import escape
from http import HTTPStatus

from starlette.responses import HTMLResponse, Response

from api.gateway.temporal_ui.rules import ROOT, SIGN_IN, SIGN_OUT
from contracts.identity import Identity

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 12vh auto; max-width: 22rem; padding: 0 1rem }
h1 { font-size: 1.4rem } label { display: block; font-weight: 600; margin-top: 1rem }
input, button { box-sizing: border-box; font: inherit; padding: .5rem; width: 100% }
button { cursor: pointer; margin-top: 1.5rem } [role=alert] { border-left: 4px solid #b91c1c;
  padding-left: .7rem }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)


def sign_in_page(
    next_page: str,
    *,
    email: str = "",
    refusal: str | None = None,
    status: int = HTTPStatus.OK,
    retry_after: int | None = None,
) -> Response:
    """The form; after a refusal it says why, and keeps the address that was typed."""
    alert = f'<p role="alert">{escape(refusal)}</p>' if refusal else ""
    response = _page(
        "Sign in",
        f"{alert}"
        f'<form method="post" action="{SIGN_IN}">'
        f'<input type="hidden" name="next" value="{escape(next_page)}">'
        '<label for="email">Email</label>'
        '<input id="email" name="email" type="email" autocomplete="username" required autofocus'
        f' maxlength="254" value="{escape(email)}">'
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password" required'
        ' maxlength="128">'
        '<button type="submit">Sign in</button></form>',
        status,
    )
    if retry_after is not None:
        response.headers["retry-after"] = str(retry_after)
    return response


def signed_in_page(identity: Identity) -> Response:
    """For somebody who is signed in already: the way in, and the way out."""
    roles = ", ".join(sorted(identity.roles))
    return _page(
        "Signed in",
        f'<p>You are signed in ({escape(roles)}). <a href="{ROOT}">To the workflows</a></p>'
        f'<form method="post" action="{SIGN_OUT}"><button type="submit">Sign out</button></form>',
        HTTPStatus.OK,
    )


def _page(title: str, body: str, status: int) -> Response:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} - MicroMart workflows</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>MicroMart workflows</h1>{body}</main></body></html>"
    )
    headers = {
        "content-security-policy": _POLICY,
        "cache-control": "no-store",
        # Of another policy a browser would send `Origin: null` with the form, as if it came from elsewhere.
        "referrer-policy": "same-origin",
    }
    return HTMLResponse(html, status, headers)
