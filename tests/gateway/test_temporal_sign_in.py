"""Signing in at the Temporal UI's page, and what the UI's server is sent: before a UI of the test's own."""

import asyncio
import json

import aiohttp
import pytest

from tests.gateway.fake_temporal_ui import FakeUi
from tests.gateway.stand import problem_of
from tests.gateway.temporal_ui_door import FROM_US, SIGN_IN, Door, cookie_of, door_before, form, token_of
from tests.gateway_peers import bearer
from tests.polling import until


async def test_auth_hears_who_signs_in_and_from_where(door: Door, browser: aiohttp.ClientSession) -> None:
    await cookie_of(browser, "staff")
    (login,) = door.auth.logins
    assert login["x-forwarded-for"] == "203.0.113.7"
    assert "aiohttp" in login["user-agent"]
    assert "cookie" not in login


async def test_on_https_the_cookie_keeps_to_https(ui_url: str) -> None:
    async with (
        door_before(ui_url, public_url="https://shop.example") as (_, browser),
        browser.post(
            SIGN_IN,
            data={"email": "staff@shop.example", "password": "correct horse battery"},
            headers={"Origin": "https://shop.example"},
            allow_redirects=False,
        ) as response,
    ):
        cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Secure-micromart_temporal=")
    assert cookie.endswith("; Max-Age=28800; Path=/temporal; HttpOnly; SameSite=Lax; Secure")


async def test_a_wrong_password_gets_the_form_again(browser: aiohttp.ClientSession) -> None:
    async with await form(browser, "staff", "wrong", email='"><b>@x') as response:
        page = await response.text()
    assert response.status == 401
    assert "set-cookie" not in response.headers
    assert '<p role="alert">Not &lt;these&gt;.</p>' in page
    assert 'value="&quot;&gt;&lt;b&gt;@x"' in page
    assert "wrong" not in page


async def test_our_own_pages_forms_say_where_they_come_from(browser: aiohttp.ClientSession) -> None:
    """Of a page with `no-referrer` a browser sends the form with `Origin: null`, which is refused."""
    async with browser.get(SIGN_IN) as blank, await form(browser, "staff", "wrong") as refused:
        pages = [blank, refused]
    async with browser.get(SIGN_IN, headers=await cookie_of(browser, "staff")) as signed_in:
        pages.append(signed_in)
    assert [page.headers.getall("referrer-policy") for page in pages] == [["same-origin"]] * 3


async def test_a_locked_account_is_told_how_long(door: Door, browser: aiohttp.ClientSession) -> None:
    door.auth.locked = True
    async with await form(browser, "staff") as response:
        assert (response.status, response.headers["retry-after"]) == (429, "17")


async def test_nobody_signs_in_while_auth_is_away(ui_url: str) -> None:
    async with (
        door_before(ui_url, auth_url="http://127.0.0.1:9") as (_, browser),
        await form(browser, "staff") as response,
    ):
        assert (response.status, response.content_type) == (503, "text/html")


async def test_a_customer_does_not_get_in_and_leaves_no_session(
    door: Door, browser: aiohttp.ClientSession
) -> None:
    async with await form(browser, "customer") as response:
        assert response.status == 403
        assert "set-cookie" not in response.headers
    assert door.auth.ended == ["session-customer"]


async def test_the_sign_in_leads_to_our_pages_only(browser: aiohttp.ClientSession) -> None:
    async with await form(browser, "staff", next="//evil.example/temporal") as response:
        assert response.headers["location"] == "/temporal"


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_another_sites_form_signs_nobody_in(
    door: Door, browser: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    async with browser.post(SIGN_IN, data={"email": "staff@x", "password": "y"}, headers=headers) as response:
        assert await problem_of(response) == (403, "temporal.cross_site")
    assert door.auth.logins == []


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b"{}", (400, "request.malformed")),
        ("application/x-www-form-urlencoded", b"email=a&email=b", (400, "request.malformed")),
        ("application/x-www-form-urlencoded", b"email=%ff", (400, "request.malformed")),
        ("application/x-www-form-urlencoded", b"\xff=a", (400, "request.malformed")),
        ("application/x-www-form-urlencoded", b"a=1&" * 20, (400, "request.malformed")),
        ("application/x-www-form-urlencoded", b"email=" + b"a" * 9_000, (413, "request.too_large")),
    ],
)
async def test_what_is_no_form_of_ours(
    door: Door, browser: aiohttp.ClientSession, content_type: str, body: bytes, expected: tuple[int, str]
) -> None:
    headers = {"Content-Type": content_type} | FROM_US
    async with browser.post(SIGN_IN, data=body, headers=headers) as response:
        assert await problem_of(response) == expected
    assert door.auth.logins == []


async def test_the_ui_is_sent_nothing_that_is_ours(ui: FakeUi, browser: aiohttp.ClientSession) -> None:
    cookie = await cookie_of(browser, "admin")
    headers = {
        "Cookie": f"{cookie['Cookie']}; theme=dark",
        "Grpc-Metadata-Authorization": "Bearer x",
        "X-HTTP-Method-Override": "DELETE",
        "X-CSRF-Token": "of-the-page",
        "X-Micromart-Identity": "x",
        "Caller-Type": "operator",
    }
    async with browser.post(
        "/temporal/api/v1/x?a=%20b", json={"y": 1}, headers=headers | FROM_US
    ) as response:
        assert response.status == 200
        assert "set-cookie" not in response.headers
    seen = ui.headers()
    assert seen["cookie"] == "_csrf=checked-by-the-gateway"
    assert seen["x-csrf-token"] == "checked-by-the-gateway"
    assert seen["caller-type"] == "operator"
    allowed = {"accept", "accept-encoding", "content-type", "content-length", "host", "traceparent"}
    assert seen.keys() - allowed == {"cookie", "x-csrf-token", "caller-type", "x-request-id"}
    assert ui.requests[-1]["query_string"] == b"a=%20b"
    assert json.loads(ui.bodies[-1]) == {"y": 1}


async def test_an_access_token_ends_at_the_gateway(ui: FakeUi, browser: aiohttp.ClientSession) -> None:
    async with browser.get("/temporal/api/v1/x", headers=bearer(token_of("staff"))) as response:
        assert response.status == 200
    assert "authorization" not in ui.headers()


async def test_what_the_ui_says_first_is_passed_on_first(ui: FakeUi, browser: aiohttp.ClientSession) -> None:
    async with browser.get("/temporal/api/stream", headers=bearer(token_of("staff"))) as response:
        assert await response.content.readexactly(5) == b"first"
        ui.go_on.set()
        assert await response.read() == b"second"


async def test_a_reader_that_leaves_is_not_waited_for(ui: FakeUi, browser: aiohttp.ClientSession) -> None:
    asking = asyncio.create_task(browser.get("/temporal/api/never", headers=bearer(token_of("staff"))))

    async def asked() -> bool:
        return bool(ui.requests)

    async def left() -> bool:
        return ui.left == 1

    await until(asked)
    asking.cancel()
    await until(left)


async def test_a_body_beyond_the_limit_is_refused(ui_url: str, ui: FakeUi) -> None:
    async with (
        door_before(ui_url, max_body_bytes=1_024) as (_, browser),
        browser.post("/temporal/api/v1/x", data=b"x" * 1_025, headers=bearer(token_of("admin"))) as response,
    ):
        assert await problem_of(response) == (413, "request.too_large")
    assert ui.requests == []


async def test_without_the_ui_the_answer_is_a_problem(browser: aiohttp.ClientSession, ui_url: str) -> None:
    async with (
        door_before("http://127.0.0.1:9/temporal") as (_, lonely),
        lonely.get("/temporal/", headers=bearer(token_of("staff"))) as response,
    ):
        assert await problem_of(response) == (503, "temporal.ui_unavailable")
