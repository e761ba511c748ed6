"""The keys of an OpenID provider: asked for seldom, and learned when they change."""

from datetime import UTC, datetime

from pydantic import SecretStr

from runtime.settings import OidcProvider
from services.auth.oidc_documents import COOLDOWN_SECONDS
from services.auth.oidc_flow import Flow
from services.auth.oidc_http import provider_session
from services.auth.oidc_provider import Provider
from tests.oidc_issuer import new_key
from tests.stores.auth_oidc.shop import CLIENT_SECRET, REFUSED, Shop, signed_in


async def test_a_token_of_an_unpublished_key_is_refused(shop: Shop) -> None:
    shop.issuer.published = [new_key()]
    assert (await signed_in(shop)).refusal == REFUSED


async def test_an_invented_key_is_asked_for_once_a_while(shop: Shop) -> None:
    assert (await signed_in(shop)).status == 200
    shop.issuer.key, shop.issuer.published = new_key(), [shop.issuer.key]
    for _ in range(3):
        assert (await signed_in(shop)).refusal == REFUSED
    assert shop.issuer.asked.count("jwks") == 1
    assert shop.issuer.asked.count("discovery") == 1


async def test_keys_of_another_kind_are_passed_over(shop: Shop) -> None:
    shop.issuer.extra_keys = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {"kty": "EC", "crv": "unheard-of", "x": "AA", "y": "AA"},
        {"kty": "RSA", "kid": "broken"},
        {"kty": 7},
        {},
    ]
    assert (await signed_in(shop)).status == 200


async def test_a_rotated_key_is_learned_with_the_first_token_that_it_signs(shared_shop: Shop) -> None:
    issuer, times = shared_shop.issuer, iter(range(0, 1_000, int(COOLDOWN_SECONDS)))
    configured = OidcProvider(issuer=issuer.url, client_id="micromart", client_secret=CLIENT_SECRET)
    async with provider_session() as session:
        provider = Provider(configured, session, "http://shop.test/callback", now=lambda: next(times))
        for _ in range(3):
            flow = Flow.begun("local", datetime.now(UTC))
            issuer.sign_in(await provider.authorization_url(flow))
            assert (await provider.vouched(SecretStr("code"), flow)).subject == "ada"
            issuer.key = new_key()
