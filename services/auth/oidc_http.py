"""Calls to OpenID providers: bounded in time and size, without cookies, never sent on elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from runtime.answers import read_within
from runtime.logs import get_logger
from services.auth.errors import OidcUnavailable

log = get_logger(__name__)

# A discovery document is a few thousand bytes, a token answer too; a key set of a large provider some more.
MAX_ANSWER_BYTES = 262_144
TIMEOUT = aiohttp.ClientTimeout(total=5.0, connect=3.0)


@dataclass(frozen=True)
class ProviderAnswer:
    """A status below 500 that is no redirect, and all of its body."""

    status: int
    body: bytes = field(repr=False)


def provider_session() -> aiohttp.ClientSession:
    """The connections to all providers; what one sets as a cookie is not kept."""
    return aiohttp.ClientSession(
        # A kept connection may have been closed by the other side, and a code must not be sent twice.
        connector=aiohttp.TCPConnector(force_close=True),
        timeout=TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"accept": "application/json", "accept-encoding": "identity"},
    )


async def asked(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProviderAnswer:
    """Ask a provider once; whatever is no answer of a healthy one is OidcUnavailable."""
    try:
        async with session.request(
            method, url, data=body, headers=headers, allow_redirects=False
        ) as response:
            if response.status >= 500 or 300 <= response.status < 400:
                raise _unavailable(url, f"answered {response.status}")
            return ProviderAnswer(response.status, await read_within(response, MAX_ANSWER_BYTES))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise _unavailable(url, type(error).__name__) from error


def _unavailable(url: str, reason: str) -> OidcUnavailable:
    log.warning("oidc_provider_failed", host=urlsplit(url).hostname, reason=reason)
    return OidcUnavailable("the provider cannot be reached or does not work", retry_after=5)
