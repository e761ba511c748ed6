"""OWASP API2:2023. Guessing, replaying and forging get nobody in; what has ended stays ended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from secrets import token_hex

import aiohttp
import pytest

from tests.e2e.shop import Shop
from tests.e2e.shopper import PASSWORD, Answer, Shopper
from tests.forged_tokens import FORGERIES, Forgery
from tests.gateway_peers import Issuer
from tests.polling import until

LOGIN = "/v1/auth/login"


@asynccontextmanager
async def from_address(shop: Shop, address: str) -> AsyncIterator[Shopper]:
    """A guest at another address, whose failures lock nobody else out."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    async with aiohttp.ClientSession(shop.settings.gateway_url, connector=connector) as session:
        yield Shopper(session, set())


async def login(guest: Shopper, email: str, password: str = PASSWORD) -> Answer:
    return await guest.call("POST", LOGIN, {"email": email, "password": password})


async def refresh(guest: Shopper, token: str) -> Answer:
    return await guest.call("POST", "/v1/auth/refresh", {"refresh_token": token})


async def test_guessing_locks_an_account_whether_it_is_one_or_not(shop: Shop) -> None:
    known, unknown = (await shop.customer()).email, f"{token_hex(8)}@example.com"
    async with from_address(shop, "127.0.0.21") as guesser:
        fared = {
            email: [(await login(guesser, email, f"guess {number}")).problem for number in range(12)]
            for email in (known, unknown)
        }
        assert fared[known] == fared[unknown]
        assert fared[known][0] == (401, "auth.bad_credentials")
        locked = await login(guesser, known)
    assert locked.problem == (429, "auth.too_many_attempts"), "the right password does not help now"
    assert int(locked.headers["retry-after"]) > 0


async def test_others_sign_in_while_one_account_is_locked(shop: Shop) -> None:
    victim, other = await shop.customer(), await shop.customer()
    async with from_address(shop, "127.0.0.22") as guesser:
        for number in range(11):
            await login(guesser, victim.email, f"guess {number}")
        assert (await login(guesser, victim.email)).status == 429
        assert (await login(guesser, other.email)).status == 200
    assert (await victim.get("/v1/auth/me")).status == 200, "whoever is signed in stays so"


async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(shop: Shop) -> None:
    known = await shop.customer()
    async with from_address(shop, "127.0.0.23") as guest:
        answers = [
            await login(guest, email, "not it") for email in (known.email, f"{token_hex(8)}@example.com")
        ]
        forgotten = [
            await guest.call("POST", "/v1/auth/password/forgotten", {"email": email})
            for email in (known.email, f"{token_hex(8)}@example.com")
        ]
    assert answers[0].raw == answers[1].raw
    assert {(answer.status, answer.raw) for answer in forgotten} == {(202, b"")}


async def test_a_refresh_token_that_comes_again_ends_the_session(shop: Shop) -> None:
    customer = await shop.customer()
    first = (await login(shop.guest, customer.email)).body
    second = (await refresh(shop.guest, first["refresh_token"])).body

    async def is_noticed() -> bool:
        answer = await refresh(shop.guest, first["refresh_token"])
        return answer.status != 200 and answer.problem == (401, "auth.token_reused")

    # For a moment a spent token gets the answer that it got first: parallel tabs, not thieves.
    await until(is_noticed)
    assert (await refresh(shop.guest, second["refresh_token"])).status == 401
    thief = replace(shop.guest, token=second["access_token"])

    async def is_out() -> bool:
        return (await thief.get("/v1/auth/me")).status == 401

    await until(is_out)
    assert (await customer.get("/v1/auth/me")).status == 200, "another session of the same user goes on"


async def test_after_a_logout_its_tokens_open_nothing(shop: Shop) -> None:
    customer = await shop.customer()
    tokens = (await login(shop.guest, customer.email)).body
    leaver = replace(customer, token=tokens["access_token"])
    assert (await leaver.call("POST", "/v1/auth/logout")).status == 204
    assert (await leaver.get("/v1/auth/me")).status == 401
    assert (await refresh(shop.guest, tokens["refresh_token"])).status == 401


async def test_whoever_signs_out_everywhere_is_out_everywhere(shop: Shop) -> None:
    here = await shop.customer()
    there = await shop.signed_in(here.email)
    assert (await here.call("DELETE", "/v1/auth/sessions")).status == 204

    async def both_are_out() -> bool:
        return {(await one.get("/v1/auth/me")).status for one in (here, there)} == {401}

    await until(both_are_out)


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_a_token_that_auth_did_not_sign_opens_nothing(shop: Shop, forge: Forgery) -> None:
    """Under the id of auth's own key, by somebody who does not have it."""
    [key, *_] = (await shop.guest.get("/.well-known/jwks.json")).body["keys"]
    try:
        forger = replace(shop.guest, token=forge(Issuer(key["kid"])))
        answer = await forger.get("/v1/auth/me")
    except ValueError:
        # No client writes such a header: the gateway's own tests send it as bytes.
        return
    assert answer.status in (401, 431)


@pytest.mark.parametrize("path", ["/v1/auth/password/reset", "/v1/auth/email/verify"])
@pytest.mark.parametrize("token", ["", "x", "0" * 64, f"{'0' * 32}.{'A' * 43}", "..", "\0"])
async def test_a_made_up_link_changes_nothing(shop: Shop, path: str, token: str) -> None:
    body = {"token": token} | ({"new_password": "quite another one"} if path.endswith("reset") else {})
    assert (await shop.guest.call("POST", path, body)).problem == (422, "auth.link_invalid")


@pytest.mark.parametrize("password", ["password", "12345678", "qwertyuiop", "Password1"])
async def test_a_password_that_is_tried_first_is_refused(shop: Shop, password: str) -> None:
    account = {"email": f"{token_hex(8)}@example.com", "password": password}
    refused = await shop.guest.call("POST", "/v1/auth/register", account)
    assert refused.problem == (422, "auth.common_password")


async def test_a_new_password_needs_the_old_one(shop: Shop) -> None:
    customer = await shop.customer()
    change = {"current_password": "not it", "new_password": "a wholly different one"}
    refused = await customer.call("POST", "/v1/auth/password", change)
    assert refused.problem == (422, "auth.wrong_password")
    assert (await login(shop.guest, customer.email)).status == 200
