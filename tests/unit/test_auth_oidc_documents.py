"""What a provider publishes, kept for a while."""

import asyncio

import pytest
from pydantic import ValidationError

from services.auth.errors import OidcUnavailable
from services.auth.oidc_documents import (
    COOLDOWN_AFTER_FAILURE_SECONDS,
    COOLDOWN_SECONDS,
    FRESH_SECONDS,
    Metadata,
    Published,
)

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")


class Provider:
    """Publishes 1, 2, 3 ... unless it is down."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.down = False
        self.document = Published(self._fetch, lambda: self.now)

    async def _fetch(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise OidcUnavailable("down")
        return self.asked


@pytest.fixture
def provider() -> Provider:
    return Provider()


async def test_a_document_is_fetched_once_for_all_who_ask(provider: Provider) -> None:
    assert await asyncio.gather(*(provider.document.current() for _ in range(10))) == [1] * 10


async def test_an_old_document_is_fetched_again(provider: Provider) -> None:
    await provider.document.current()
    provider.now = FRESH_SECONDS - 1
    assert await provider.document.current() == 1
    provider.now = FRESH_SECONDS
    assert await provider.document.current() == 2


async def test_an_old_document_is_not_believed_while_the_provider_is_down(provider: Provider) -> None:
    await provider.document.current()
    provider.now, provider.down = FRESH_SECONDS, True
    with pytest.raises(OidcUnavailable):
        await provider.document.current()


async def test_a_newer_document_is_asked_for_once_a_cooldown(provider: Provider) -> None:
    known = await provider.document.current()
    assert await provider.document.newer(known) == 1
    provider.now = COOLDOWN_SECONDS
    assert await asyncio.gather(*(provider.document.newer(known) for _ in range(10))) == [2] * 10


async def test_a_provider_that_is_down_is_spared(provider: Provider) -> None:
    provider.down = True
    for _ in range(10):
        with pytest.raises(OidcUnavailable):
            await provider.document.current()
    assert provider.asked == 1
    provider.now, provider.down = COOLDOWN_AFTER_FAILURE_SECONDS, False
    assert await provider.document.current() == 2


async def test_who_leaves_while_waiting_takes_nothing_from_the_others(provider: Provider) -> None:
    leaving, staying = (asyncio.create_task(provider.document.current()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 2


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_issuer_on_https_has_no_endpoint_beside_it(endpoint: str) -> None:
    issuer = "https://id.example"
    safe = {"issuer": issuer} | {name: f"{issuer}/{name}" for name in ENDPOINTS}
    Metadata.model_validate(safe)
    with pytest.raises(ValidationError):
        Metadata.model_validate(safe | {endpoint: "http://127.0.0.1:1/"})
