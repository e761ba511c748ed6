"""The Temporal UI through the gateway, before a real Temporal server: who gets in, and what they can do."""

import base64
import hashlib
import re
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.conftest import Servers
from tests.gateway.stand import problem_of
from tests.gateway.temporal_ui_door import FROM_US, SIGN_IN, Door, cookie_of, form, token_of
from tests.gateway_peers import bearer

API = "/temporal/api/v1/namespaces/default"
PAGE = {"Accept": "text/html,application/xhtml+xml;q=0.9"}


@pytest.fixture
def ui_url(servers: Servers) -> str:
    """A real one, in place of the fake that other tests stand before."""
    return servers.temporal_ui_url


async def started(browser: aiohttp.ClientSession, admin: dict[str, str]) -> str:
    """A new workflow that nobody works on, started by an admin."""
    workflow = f"test-{uuid4()}"
    body = {"workflowType": {"name": "Nobody"}, "taskQueue": {"name": "nobody"}, "requestId": workflow}
    async with browser.post(f"{API}/workflows/{workflow}", json=body, headers=admin | FROM_US) as response:
        assert response.status == 200, await response.text()
    return workflow


async def state_of(browser: aiohttp.ClientSession, workflow: str, headers: dict[str, str]) -> str:
    async with browser.get(f"{API}/workflows/{workflow}", headers=headers) as response:
        assert response.status == 200
        info: dict[str, Any] = (await response.json())["workflowExecutionInfo"]
        return str(info["status"])


async def test_a_browser_is_led_to_the_sign_in_and_back(browser: aiohttp.ClientSession) -> None:
    page = "/temporal/namespaces/default/workflows?query=%22x%22"
    async with browser.get(page, headers=PAGE, allow_redirects=False) as response:
        assert response.status == 303
        target = response.headers["location"]
    async with browser.get(target) as response:
        assert response.status == 200
        hidden = re.search('name="next" value="([^"]*)"', await response.text())
    assert hidden is not None
    assert hidden.group(1) == page
    async with await form(browser, "staff", next=page) as response:
        assert (response.status, response.headers["location"]) == (303, page)


@pytest.mark.parametrize(
    "path", ["/temporal/api/v1/settings", f"{API}/workflows", "/temporal/_app/version.json"]
)
async def test_whatever_else_is_unauthenticated(browser: aiohttp.ClientSession, path: str) -> None:
    async with browser.get(path) as response:
        assert await problem_of(response) == (401, "auth.unauthenticated")


async def test_the_sign_in_page_runs_nothing_and_is_framed_by_nobody(browser: aiohttp.ClientSession) -> None:
    async with browser.get(SIGN_IN) as response:
        policy = response.headers["content-security-policy"]
        style = re.search("<style>(.*)</style>", await response.text(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'")
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("role", ["staff", "admin"])
async def test_the_staff_sees_the_ui(browser: aiohttp.ClientSession, role: str) -> None:
    cookie = await cookie_of(browser, role)
    async with browser.get("/temporal/namespaces/default/workflows", headers=cookie | PAGE) as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert "set-cookie" not in response.headers
        assert response.headers.getall("x-frame-options") == ["DENY"]
        assert "script-src 'self' 'sha256-" in response.headers.getone("content-security-policy")
        asset = re.search(r'href="(/temporal/_app/immutable/[^"]+\.js)"', await response.text())
    assert asset is not None
    async with browser.get(asset.group(1), headers=cookie | {"Accept-Encoding": "gzip"}) as response:
        assert response.status == 200
        assert "import" in await response.text()
        assert "immutable" in response.headers["cache-control"]
    async with browser.get(f"{API}/workflows", headers=cookie) as response:
        assert response.status == 200
        assert response.headers.getall("cache-control") == ["no-store"]


async def test_the_page_and_all_that_it_names_fit_ten_times_into_a_sign_ins_quota(
    browser: aiohttp.ClientSession,
) -> None:
    cookie = await cookie_of(browser, "staff")
    async with browser.get("/temporal/", headers=cookie | PAGE) as response:
        quota = re.search("q=([0-9]+)", response.headers["ratelimit-policy"])
        named = set(re.findall(r'"(/temporal/[^"]+)"', await response.text()))
    assert quota is not None
    assert len(named) > 10
    assert int(quota.group(1)) > 10 * (1 + len(named))
    for path in named:
        async with browser.get(path, headers=cookie) as response:
            assert response.status == 200, path


async def test_the_ui_shows_markdown_in_a_frame_of_its_own(browser: aiohttp.ClientSession) -> None:
    cookie = await cookie_of(browser, "staff")
    async with browser.get(
        "/temporal/render?content=**done**&theme=light", headers=cookie | PAGE
    ) as response:
        assert "<strong>done</strong>" in await response.text()
        assert response.headers.getall("x-frame-options") == ["SAMEORIGIN"]
        (policy,) = response.headers.getall("content-security-policy")
    assert "sandbox" in policy
    assert "frame-ancestors 'self'" in policy


async def test_an_access_token_opens_it_too(browser: aiohttp.ClientSession) -> None:
    async with browser.get(f"{API}/workflows", headers=bearer(token_of("staff"))) as response:
        assert response.status == 200


async def test_a_customers_access_token_does_not(browser: aiohttp.ClientSession) -> None:
    async with browser.get(f"{API}/workflows", headers=bearer(token_of("customer"))) as response:
        assert await problem_of(response) == (403, "auth.forbidden")


@pytest.mark.parametrize(("role", "read_only"), [("staff", True), ("admin", False)])
async def test_the_ui_knows_whether_its_reader_may_act(
    browser: aiohttp.ClientSession, role: str, read_only: bool
) -> None:
    cookie = await cookie_of(browser, role)
    async with browser.get("/temporal/api/v1/settings", headers=cookie) as response:
        assert (await response.json())["DisableWriteActions"] is read_only


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/workflows/{workflow}/terminate"),
        ("POST", "/workflows/{workflow}/cancel"),
        ("POST", "/workflows/{workflow}/signal/query"),
        ("POST", "/workflows/{workflow}/reset"),
        ("POST", "/workflows/{workflow}/update/x"),
        ("POST", "/workflows/{workflow}-2"),
        ("POST", "/batch-operations"),
        ("POST", "/schedules/s"),
        ("DELETE", "/schedules/s"),
        ("PUT", "/workflows/{workflow}"),
        ("PATCH", "/workflows/{workflow}"),
    ],
)
async def test_staff_changes_nothing(
    door: Door, browser: aiohttp.ClientSession, method: str, path: str
) -> None:
    workflow = await started(browser, bearer(token_of("admin")))
    door.trail.actions.clear()
    cookie = await cookie_of(browser, "staff")
    target = API + path.format(workflow=workflow)
    async with browser.request(method, target, json={}, headers=cookie | FROM_US) as response:
        assert await problem_of(response) == (403, "temporal.read_only")
    assert door.trail.actions == []
    assert await state_of(browser, workflow, cookie) == "WORKFLOW_EXECUTION_STATUS_RUNNING"


async def test_staff_may_query(door: Door, browser: aiohttp.ClientSession) -> None:
    cookie = await cookie_of(browser, "staff")
    query = f"{API}/workflows/nobody-{uuid4()}/query/__stack_trace"
    async with browser.post(query, json={}, headers=cookie | FROM_US) as response:
        # Temporal's own word: there is no such workflow.
        assert response.status == 404
        assert response.content_type == "application/json"
    assert door.trail.actions == []


async def test_an_admin_acts_and_it_is_written_down(door: Door, browser: aiohttp.ClientSession) -> None:
    cookie = await cookie_of(browser, "admin")
    workflow = await started(browser, cookie)
    door.trail.actions.clear()
    path = f"{API}/workflows/{workflow}/terminate"
    async with browser.post(path, json={"reason": "test"}, headers=cookie | FROM_US) as response:
        assert response.status == 200
    assert await state_of(browser, workflow, cookie) == "WORKFLOW_EXECUTION_STATUS_TERMINATED"
    (action,) = door.trail.actions
    assert (action.actor, action.method, action.path, action.address) == (
        "user-admin",
        "POST",
        path,
        "203.0.113.7",
    )
    assert [one.action for one in door.exchanges if one.action] == ["1", "1"]


async def test_what_cannot_be_written_down_is_not_done(door: Door, browser: aiohttp.ClientSession) -> None:
    cookie = await cookie_of(browser, "admin")
    workflow = await started(browser, cookie)
    door.trail.broken = True
    path = f"{API}/workflows/{workflow}/terminate"
    async with browser.post(path, json={}, headers=cookie | FROM_US) as response:
        assert response.status == 503
    assert await state_of(browser, workflow, cookie) == "WORKFLOW_EXECUTION_STATUS_RUNNING"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://friend.example"},
        {"Sec-Fetch-Site": "cross-site"} | FROM_US,
        {"Sec-Fetch-Site": "same-site"} | FROM_US,
    ],
)
async def test_another_sites_page_cannot_act_with_an_admins_cookie(
    door: Door, browser: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    cookie = await cookie_of(browser, "admin")
    workflow = await started(browser, bearer(token_of("admin")))
    door.trail.actions.clear()
    path = f"{API}/workflows/{workflow}/terminate"
    async with browser.post(path, json={}, headers=cookie | headers) as response:
        assert await problem_of(response) == (403, "temporal.cross_site")
    assert door.trail.actions == []
    assert await state_of(browser, workflow, cookie) == "WORKFLOW_EXECUTION_STATUS_RUNNING"


@pytest.mark.parametrize("path", ["/temporal/", f"{API}/workflows", SIGN_IN])
async def test_no_other_origin_reads_it(browser: aiohttp.ClientSession, path: str) -> None:
    cookie = await cookie_of(browser, "staff")
    headers = cookie | {"Origin": "https://friend.example"}
    async with browser.get(path, headers=headers) as response:
        assert response.status == 200
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]


async def test_whoever_signs_out_is_out_at_once(door: Door, browser: aiohttp.ClientSession) -> None:
    cookie = await cookie_of(browser, "staff")
    async with browser.post(
        "/temporal/sign-out", headers=cookie | FROM_US, allow_redirects=False
    ) as response:
        assert (response.status, response.headers["location"]) == (303, SIGN_IN)
        assert response.headers["set-cookie"].startswith("micromart_temporal=; Max-Age=0")
    assert door.auth.ended == ["session-staff"]
    async with browser.get(f"{API}/workflows", headers=cookie) as response:
        assert response.status == 401


async def test_another_page_signs_nobody_out(door: Door, browser: aiohttp.ClientSession) -> None:
    cookie = await cookie_of(browser, "staff")
    async with browser.post("/temporal/sign-out", headers=cookie | {"Origin": "null"}) as response:
        assert await problem_of(response) == (403, "temporal.cross_site")
    assert door.auth.ended == []


async def test_a_session_that_ended_elsewhere_ends_the_cookie(
    door: Door, browser: aiohttp.ClientSession
) -> None:
    cookie = await cookie_of(browser, "staff")
    door.ended.end("session-staff")
    async with browser.get(f"{API}/workflows", headers=cookie) as response:
        assert response.status == 401


async def test_somebody_signed_in_is_shown_the_way_out(browser: aiohttp.ClientSession) -> None:
    cookie = await cookie_of(browser, "staff")
    async with browser.get(SIGN_IN, headers=cookie) as response:
        assert 'action="/temporal/sign-out"' in await response.text()


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND"])
async def test_methods_that_the_ui_has_no_use_for(browser: aiohttp.ClientSession, method: str) -> None:
    async with browser.request(method, "/temporal/", headers=bearer(token_of("admin"))) as response:
        assert await problem_of(response) == (405, "gateway.method_not_allowed")
