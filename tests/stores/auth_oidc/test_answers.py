"""What a browser brings back from an OpenID provider: its own sign-in's answer, once."""

from urllib.parse import urlsplit

import pytest

from tests.stores.auth_oidc.shop import REFUSED, STATE_INVALID, Browser, Shop


@pytest.mark.parametrize("state", ["", "another", "\ud800".encode("utf-8", "replace").decode(), "é"])
async def test_an_answer_with_another_state_is_refused(shop: Shop, browser: Browser, state: str) -> None:
    await browser.departs("local")
    assert (await browser.returns("local", code="code", state=state)).refusal == STATE_INVALID
    assert "token" not in shop.issuer.asked


async def test_an_answer_without_a_state_is_refused(browser: Browser) -> None:
    await browser.departs("local")
    assert (await browser.returns("local", code="code")).refusal == STATE_INVALID


async def test_an_answer_in_another_browser_is_refused(shop: Shop, browser: Browser) -> None:
    back = await shop.mock.signs_in(await browser.departs("mock"), "ada")
    async with shop.browser() as other:
        assert (await other.arrives(back)).refusal == STATE_INVALID
        await other.departs("mock")
        assert (await other.arrives(back)).refusal == STATE_INVALID
    assert (await browser.arrives(back)).status == 200


async def test_a_cookie_that_was_changed_is_refused(shop: Shop, browser: Browser) -> None:
    state = shop.issuer.sign_in(await browser.departs("local"))
    [cookie] = browser.session.cookie_jar
    for value in (cookie.value[:-4] + "AAAA", "nonsense", "", "%00"):
        browser.session.cookie_jar.clear()
        headers = {"cookie": f"micromart_oidc={value}"}
        answer = await browser.send(
            "GET", f"/v1/auth/oidc/local/callback?code=code&state={state}", headers=headers
        )
        assert answer.refusal == STATE_INVALID


async def test_the_answer_of_one_provider_is_not_taken_for_anothers(shop: Shop, browser: Browser) -> None:
    state = shop.issuer.sign_in(await browser.departs("local"))
    assert (await browser.returns("mock", code="code", state=state)).refusal == STATE_INVALID


async def test_a_replayed_answer_is_refused(shop: Shop, browser: Browser) -> None:
    back = await shop.mock.signs_in(await browser.departs("mock"), "ada")
    [cookie] = browser.session.cookie_jar
    kept = {"cookie": f"{cookie.key}={cookie.value}"}
    assert (await browser.arrives(back)).status == 200
    assert (await browser.arrives(back)).refusal == STATE_INVALID
    parts = urlsplit(back)
    answer = await browser.send("GET", f"{parts.path}?{parts.query}", headers=kept)
    assert answer.refusal == REFUSED


async def test_who_declines_at_the_provider_is_not_signed_in(shop: Shop, browser: Browser) -> None:
    state = shop.issuer.sign_in(await browser.departs("local"))
    answer = await browser.returns("local", error="access_denied", state=state)
    assert answer.refusal == REFUSED


async def test_without_the_verifier_of_this_browser_a_code_is_worthless(shop: Shop, browser: Browser) -> None:
    """A code that was stolen from another's sign-in, put into one's own."""
    async with shop.browser() as victim:
        shop.issuer.sign_in(await victim.departs("local"), code="stolen")
    state = shop.issuer.sign_in(await browser.departs("local"))
    assert (await browser.returns("local", code="stolen", state=state)).refusal == REFUSED


@pytest.mark.parametrize("issuer", ["https://other.example", ""])
async def test_an_answer_that_names_another_issuer_is_refused(
    shop: Shop, browser: Browser, issuer: str
) -> None:
    state = shop.issuer.sign_in(await browser.departs("local"))
    assert (await browser.returns("local", code="code", state=state, iss=issuer)).refusal == REFUSED
    assert "token" not in shop.issuer.asked


async def test_an_answer_that_names_its_issuer_is_taken(shop: Shop, browser: Browser) -> None:
    shop.issuer.metadata = {"authorization_response_iss_parameter_supported": True}
    state = shop.issuer.sign_in(await browser.departs("local"))
    assert (await browser.returns("local", code="code", state=state)).refusal == REFUSED
    answer = await browser.returns("local", code="code", state=state, iss=shop.issuer.url)
    assert answer.status == 200
