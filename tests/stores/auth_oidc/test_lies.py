"""What an OpenID provider says, and nobody should believe."""

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from services.auth.oidc_http import MAX_ANSWER_BYTES
from tests.oidc_issuer import ABSENT, Claims
from tests.stores.auth_oidc.shop import (
    REFUSED,
    UNAVAILABLE,
    Browser,
    Shop,
    encoded,
    payload,
    signed_in,
)

# Not relative to now: the processes that share the tests must name them alike.
LONG_AGO, FAR_OFF = 946_684_800, 4_102_444_800


async def test_a_provider_of_another_name_is_not_believed(shop: Shop, browser: Browser) -> None:
    shop.issuer.metadata = {"issuer": "https://other.example"}
    assert (await browser.send("POST", "/v1/auth/oidc/local/authorize")).refusal == UNAVAILABLE


@pytest.mark.parametrize(
    "endpoint", ["http://elsewhere.example/token", "file:///etc/passwd", "//elsewhere", "", 7, None]
)
async def test_an_endpoint_that_is_not_safe_is_not_called(
    shop: Shop, browser: Browser, endpoint: object
) -> None:
    shop.issuer.metadata = {"token_endpoint": endpoint}
    assert (await browser.send("POST", "/v1/auth/oidc/local/authorize")).refusal == UNAVAILABLE


@pytest.mark.parametrize(
    "answer",
    [
        RedirectResponse("http://127.0.0.1:1/"),
        JSONResponse({}, 500),
        JSONResponse({"error": "invalid_client"}, 401),
        JSONResponse({"access_token": "no id token"}),
        JSONResponse(["no", "object"]),
        Response("<html>"),
        Response("<html>", 429),
        Response(b" " * (MAX_ANSWER_BYTES + 1)),
    ],
)
async def test_a_token_answer_that_is_none_is_an_outage(shared_shop: Shop, answer: Response) -> None:
    shared_shop.issuer.token_answer = answer
    assert (await signed_in(shared_shop)).refusal == UNAVAILABLE


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"iss": ABSENT},
        {"aud": "another client"},
        {"aud": []},
        {"aud": ABSENT},
        {"aud": ["micromart", "another client"]},
        {"aud": ["micromart", "another client"], "azp": "another client"},
        {"azp": "another client"},
        {"nonce": "another"},
        {"nonce": ABSENT},
        {"nonce": ""},
        {"exp": LONG_AGO},
        {"exp": "tomorrow"},
        {"exp": ABSENT},
        {"iat": FAR_OFF},
        {"iat": ABSENT},
        {"nbf": FAR_OFF},
        {"at_hash": "AAAA"},
        {"at_hash": 7},
        {"sub": ABSENT},
        {"sub": ""},
        {"sub": "a" * 256},
        {"sub": "a\0"},
        {"sub": 7},
        {"email": 7},
    ],
)
async def test_a_token_whose_claims_do_not_hold_is_refused(shared_shop: Shop, claims: Claims) -> None:
    shared_shop.issuer.claims = claims
    assert (await signed_in(shared_shop)).refusal == REFUSED


def _unsigned(token: str) -> str:
    return f"{encoded({'alg': 'none'})}.{token.split('.')[1]}."


def _signed_with(secret: bytes) -> Callable[[str], str]:
    def forge(token: str) -> str:
        signed = f"{encoded({'alg': 'HS256'})}.{token.split('.')[1]}"
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    return forge


def _altered(token: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{encoded(payload(token) | {'sub': 'somebody else'})}.{signature}"


@pytest.mark.parametrize(
    "forge",
    [
        _unsigned,
        _signed_with(b"client-secret"),
        _altered,
        lambda token: token[:-8] + "AAAAAAAA",
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: token.rpartition(".")[0],
        lambda token: "nonsense",
        lambda token: "",
        lambda token: "é.é.é",
        lambda token: token + "." + token,
    ],
    ids=["none", "hs256", "altered", "signature", "no signature", "two parts", "text", "empty", "é", "six"],
)
async def test_a_forged_token_is_refused(shared_shop: Shop, forge: Callable[[str], str]) -> None:
    shared_shop.issuer.forge = forge
    assert (await signed_in(shared_shop)).refusal == REFUSED


async def test_a_critical_extension_is_not_ignored(shared_shop: Shop) -> None:
    shared_shop.issuer.forge = lambda token: (
        f"{encoded({'alg': 'ES256', 'crit': ['x'], 'x': 1})}.{token.partition('.')[2]}"
    )
    assert (await signed_in(shared_shop)).refusal == REFUSED


async def test_an_algorithm_that_the_provider_does_not_announce_is_refused(shop: Shop) -> None:
    shop.issuer.metadata = {"id_token_signing_alg_values_supported": ["RS256"]}
    assert (await signed_in(shop)).refusal == REFUSED
