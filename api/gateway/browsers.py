"""What browsers are told with every answer: who may read it from which page, and what it must not do."""

from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from contracts.errors import DomainError, Kind
from runtime.settings import PREFIX, MissingSetting, Settings

HeaderPairs = tuple[tuple[bytes, bytes], ...]

_HSTS_SECONDS = 365 * 86_400
_PREFLIGHT_SECONDS = 7_200
_ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Order-Token, X-Request-Id,"
    " Traceparent"
)
_EXPOSED_HEADERS = b"ETag, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
_SECURITY: HeaderPairs = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
NOT_KEPT: HeaderPairs = ((b"cache-control", b"no-store"),)


class OriginNotAllowed(DomainError):
    """A page of an origin that the shop's configuration does not name."""

    code = "gateway.origin_not_allowed"
    kind = Kind.FORBIDDEN


class Browsers:
    """The headers for browsers, made once: which of them an answer gets is a look into a table."""

    def __init__(self, settings: Settings) -> None:
        self._origins = frozenset(_origins(settings.cors_origins))
        security = security_headers(settings)
        # An answer that differs by Origin must not be kept for another one's page.
        plain = security + (((b"vary", b"Origin"),) if self._origins else ())
        self._plain = (plain, plain + NOT_KEPT)
        self._by_origin = {
            origin.encode(): (plain + _allowing(origin), plain + _allowing(origin) + NOT_KEPT)
            for origin in self._origins
        }

    def headers(self, origin: bytes | None, *, authenticated: bool) -> HeaderPairs:
        """What to add to the answer of a request from a page of that origin, with `added_to`."""
        found = self._plain if origin is None else self._by_origin.get(origin, self._plain)
        return found[authenticated]

    def preflight(self, scope: Scope, allow: str) -> Response | None:
        """The answer to a browser that asks before it sends; None when this is another kind of request.

        `allow` names the methods of the path; OriginNotAllowed for a page that may not call us.
        """
        if scope["method"] != "OPTIONS":
            return None
        asked = Headers(scope=scope)
        origin = asked.get("origin")
        if origin is None or "access-control-request-method" not in asked:
            return None
        if origin not in self._origins:
            raise OriginNotAllowed("Pages of this origin may not call from a browser.")
        return Response(
            status_code=HTTPStatus.NO_CONTENT,
            headers={
                "access-control-allow-origin": origin,
                "access-control-allow-credentials": "true",
                "access-control-allow-methods": allow,
                "access-control-allow-headers": _ALLOWED_HEADERS,
                "access-control-max-age": str(_PREFLIGHT_SECONDS),
                "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            },
        )


def security_headers(settings: Settings) -> HeaderPairs:
    """What every answer tells a browser, whoever asks."""
    if not settings.public_url.startswith("https://"):
        return _SECURITY
    return (*_SECURITY, (b"strict-transport-security", f"max-age={_HSTS_SECONDS}".encode()))


def added_to(
    said: Iterable[tuple[bytes, bytes]], more: Iterable[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """An answer's headers and ours: what it says itself stands, but for `Vary`, of which there may be two."""
    result = list(said)
    names = {name for name, _ in result}
    result.extend(pair for pair in more if pair[0] == b"vary" or pair[0] not in names)
    return result


def _allowing(origin: str) -> HeaderPairs:
    # With credentials: a sign-in with an OpenID provider binds itself to the browser by a cookie.
    return (
        (b"access-control-allow-origin", origin.encode()),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", _EXPOSED_HEADERS),
    )


def _origins(listed: str) -> Iterable[str]:
    """The configured origins, each exact: a wildcard, a path or `null` ends the start of the process."""
    for origin in filter(None, (part.strip() for part in listed.split(","))):
        if origin_of(origin) != origin:
            raise MissingSetting(
                f"{PREFIX}CORS_ORIGINS is not usable: each is an origin like https://shop.example[:port]"
            )
        yield origin


def origin_of(url: str) -> str | None:
    """Scheme, host and port of a URL as a browser writes them; None for what is not a web address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "*" in parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is None or port == {"http": 80, "https": 443}[parts.scheme]:
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"
