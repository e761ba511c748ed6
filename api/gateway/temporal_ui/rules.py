"""Who may do what at the Temporal UI, decided from a request alone."""

import re
from urllib.parse import quote

from contracts.identity import Identity, Role

ROOT = "/temporal"
SIGN_IN = f"{ROOT}/sign-in"
SIGN_OUT = f"{ROOT}/sign-out"
SETTINGS = f"{ROOT}/api/v1/settings"
# The UI shows Markdown in frames. Its pages ask for them here, and its server (2.54) has them under twice the
# public path: so /temporal goes before what is passed on, or every description would be a "Not Found".
FRAMED = f"{ROOT}/render"
MISPLACED = ROOT
ASSETS = f"{ROOT}/_app/"
SAFE_METHODS = frozenset({"GET", "HEAD"})
METHODS = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}

_API = f"{ROOT}/api/"
# Of all that the UI posts, only queries change nothing; stack traces and current details are some.
_QUERY = re.compile(rf"{_API}v1/namespaces/[^/]+/workflows/[^/]+/query/[^/]+")
# Printable ASCII, so that it can stand in a header; it begins with our path, so it cannot lead elsewhere.
_NEXT = re.compile(rf"{ROOT}(?:[/?][!-\[\]-~]{{0,2000}})?")
# There is nothing to come back to: the sign-in's own pages, and the UI's for a login that ours replaces.
_NOT_NEXT = (SIGN_IN, SIGN_OUT, f"{ROOT}/auth/", f"{ROOT}/login")


def changes_something(method: str, path: str) -> bool:
    """Whether a request is more than looking."""
    return method not in SAFE_METHODS and not (method == "POST" and _QUERY.fullmatch(path))


def may_act(identity: Identity) -> bool:
    return Role.ADMIN in identity.roles


def is_page(path: str) -> bool:
    """Whether the UI answers with its HTML page there; all its addresses are one page."""
    return not path.startswith((_API, ASSETS))


def next_page(wanted: str) -> str:
    """Where to go after the sign-in: the page that was asked for, or the first one."""
    return wanted if _NEXT.fullmatch(wanted) and not wanted.startswith(_NOT_NEXT) else ROOT


def sign_in_for(target: str) -> str:
    """The address of the sign-in that leads to `target` afterwards."""
    return f"{SIGN_IN}?next={quote(next_page(target), safe='/')}"
