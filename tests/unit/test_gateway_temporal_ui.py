"""What may be done at the Temporal UI, and where its sign-in may lead."""

import base64
import hashlib
import json

import pytest

from api.gateway.temporal_ui.answers import adapted_settings, headers_for, page_policy
from api.gateway.temporal_ui.rules import changes_something, next_page, sign_in_for
from api.gateway.temporal_ui.upstream import UiServer
from runtime.settings import MissingSetting

WORKFLOW = "/temporal/api/v1/namespaces/default/workflows/checkout-1"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", WORKFLOW),
        ("HEAD", WORKFLOW),
        ("GET", f"{WORKFLOW}/terminate"),
        ("POST", f"{WORKFLOW}/query/__stack_trace"),
        ("POST", f"{WORKFLOW}/query/__temporal_workflow_metadata"),
    ],
)
def test_looking_changes_nothing(method: str, path: str) -> None:
    assert not changes_something(method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{WORKFLOW}/terminate"),
        ("POST", f"{WORKFLOW}/signal/query"),
        ("POST", f"{WORKFLOW}/update/query"),
        ("POST", f"{WORKFLOW}/query"),
        ("POST", f"{WORKFLOW}/query/"),
        ("POST", f"{WORKFLOW}/query/a/terminate"),
        ("POST", f"{WORKFLOW}//query/a"),
        ("POST", f"/temporal{WORKFLOW}/query/a"),
        ("POST", WORKFLOW.replace("v1", "v2") + "/query/a"),
        ("PUT", f"{WORKFLOW}/query/a"),
        ("DELETE", f"{WORKFLOW}/query/a"),
        ("POST", "/temporal/api/v1/namespaces/default/batch-operations"),
        ("POST", "/temporal"),
    ],
)
def test_all_else_counts_as_a_change(method: str, path: str) -> None:
    assert changes_something(method, path)


@pytest.mark.parametrize(
    "wanted",
    ["/temporal", "/temporal/namespaces/default/workflows?query=%22a%22", "/temporal?x=1", "/temporal//a"],
)
def test_the_sign_in_leads_back(wanted: str) -> None:
    assert next_page(wanted) == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "https://evil.example/temporal",
        "//evil.example/temporal",
        "/temporal.evil.example",
        "/temporal@evil.example",
        "/temporal\\evil",
        "/temporal/\r\nset-cookie: a=b",
        "/temporal/ü",
        "/v1/orders",
        "javascript:alert(1)//temporal",
        "/temporal/sign-out",
        "/temporal/sign-in?next=/temporal",
        "/temporal/auth/sso",
        "/temporal/" + "a" * 2_001,
    ],
)
def test_and_nowhere_else(wanted: str) -> None:
    assert next_page(wanted) == "/temporal"


def test_the_page_asked_for_survives_as_one_value() -> None:
    assert sign_in_for("/temporal/a?b=c&d=e") == "/temporal/sign-in?next=/temporal/a%3Fb%3Dc%26d%3De"


def test_a_page_runs_its_own_scripts_and_no_other() -> None:
    policy = dict(page_policy("/temporal/x", b"<p><script>one()</script><script>\ntwo()</script>", None))
    said = policy[b"content-security-policy"].decode()
    for script in (b"one()", b"\ntwo()"):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" in said
    assert "'unsafe-inline'" not in said.partition("script-src")[2].partition(";")[0]
    assert policy[b"x-frame-options"] == b"DENY"


@pytest.mark.parametrize(
    ("said", "policy"),
    [
        ("default-src 'none'; sandbox", "default-src 'none'; sandbox"),
        (None, "default-src 'none'; frame-ancestors 'self'"),
    ],
)
def test_a_framed_description_runs_nothing(said: str | None, policy: str) -> None:
    headers = dict(page_policy("/temporal/render", b"<script>one()</script>", said))
    assert headers[b"content-security-policy"].decode() == policy
    assert headers[b"x-frame-options"] == b"SAMEORIGIN"


def test_of_the_answers_headers_the_cookies_stay_behind() -> None:
    received = ((b"Set-Cookie", b"_csrf=1; Path=/"), (b"Content-Type", b"text/plain"), (b"Vary", b"Cookie"))
    headers = headers_for("/temporal/api/v1/cluster-info", received, "id-1")
    assert (b"content-type", b"text/plain") in headers
    assert (b"cache-control", b"no-store") in headers
    assert not [value for name, value in headers if name == b"set-cookie"]


def test_assets_may_be_kept_by_the_browser_alone() -> None:
    headers = headers_for("/temporal/_app/immutable/chunks/a.js", (), "id-1")
    assert (b"cache-control", b"private, max-age=31536000, immutable") in headers


@pytest.mark.parametrize("read_only", [True, False])
def test_buttons_are_hidden_from_those_who_may_not_press_them(read_only: bool) -> None:
    body = b'{"Auth": {"Enabled": false}, "DisableWriteActions": false, "DisableNewsFetch": false}'
    assert json.loads(adapted_settings(body, read_only=read_only)) == {
        "Auth": {"Enabled": False},
        "DisableWriteActions": read_only,
        "DisableNewsFetch": True,
    }


@pytest.mark.parametrize("url", ["http://127.0.0.1:8233", "http://127.0.0.1:8233/temporal/ui", ""])
def test_a_ui_under_another_path_ends_the_start(url: str) -> None:
    with pytest.raises(MissingSetting, match="TEMPORAL_UI_URL"):
        UiServer(None, url)  # type: ignore[arg-type]
