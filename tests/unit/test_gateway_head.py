from typing import Any

import pytest

from api.gateway.errors import HeadTooLarge, MalformedRequest
from api.gateway.head import MAX_HEAD_BYTES, MAX_HEADERS, MAX_NOMINATED, RequestHead, passed_back

ADDRESS = "203.0.113.7"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def head(*headers: tuple[bytes, bytes], **scope: Any) -> RequestHead:
    """A head as the server hands it over: names in lower case."""
    standard = {
        "http_version": "1.1",
        "headers": [(b"host", b"shop.example"), *headers],
        "raw_path": b"/v1/products",
        "query_string": b"",
        "scheme": "http",
    }
    return RequestHead(standard | scope, ADDRESS)


@pytest.mark.parametrize(
    "name",
    [
        b"x-micromart-identity",
        b"x_micromart_identity",
        b"x-micromart_identity",
        b"x-micromart-anything",
        b"x__micromart-identity",
        b"authorization",
        b"connection",
        b"keep-alive",
        b"te",
        b"trailer",
        b"upgrade",
        b"proxy-authorization",
        b"proxy-connection",
        b"expect",
        b"forwarded",
        b"x-real-ip",
        b"x-forwarded",
        b"x-forwarded-anything",
        b"x-forwarded-port",
        b"x_forwarded_for",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"x-original-url",
        b"x-original-host",
        b"x-rewrite-url",
        b"x-host",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-envoy-original-path",
        b"x-accel-redirect",
        b"proxy",
        b"http2-settings",
    ],
)
def test_what_only_the_gateway_may_say_is_not_passed_on(name: bytes) -> None:
    assert name.decode() not in head((name, b"forged")).headers


def test_what_the_client_nominates_for_this_hop_ends_here() -> None:
    passed = head((b"connection", b"close, X-Mine"), (b"x-mine", b"1"), (b"x-other", b"2")).headers
    assert "x-mine" not in passed
    assert passed["x-other"] == "2"


@pytest.mark.parametrize("nominated", [b"X-Mine", b"close, x-mine", b"keep-alive,X-MINE ,", b", x-mine,,"])
def test_a_nominated_header_is_found_in_every_spelling(nominated: bytes) -> None:
    passed = head((b"x-mine", b"1"), (b"connection", b"close"), (b"connection", nominated), (b"x-mine", b"2"))
    assert "x-mine" not in passed.headers


def test_only_so_much_is_nominated() -> None:
    names = [b"x-%d" % number for number in range(MAX_NOMINATED + 1)]
    assert "x-0" not in head((b"x-0", b"1"), (b"connection", b",".join(names[:-1]))).headers
    with pytest.raises(MalformedRequest):
        head((b"connection", b",".join(names)))
    with pytest.raises(MalformedRequest):
        head(*[(b"connection", b"close, x-mine")] * MAX_NOMINATED)


def test_what_the_gateway_says_cannot_be_nominated_away() -> None:
    nominated = b"x-forwarded-for, x-request-id, traceparent, x-forwarded-host, authorization, content-length"
    passed = head((b"connection", nominated), (b"authorization", b"Bearer x"), (b"content-length", b"2"))
    assert passed.headers["x-forwarded-for"] == ADDRESS
    assert passed.headers["x-request-id"] == passed.request_id
    assert {"traceparent", "x-forwarded-host"} <= passed.headers.keys()
    assert (passed.authorization, passed.content_length) == ([b"Bearer x"], 2)


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding", b"idempotency-key"])
def test_what_may_stand_once_is_refused_twice(name: bytes) -> None:
    with pytest.raises(MalformedRequest):
        head((name, b"5"), (name, b"5"))


@pytest.mark.parametrize(
    "host",
    [b"", b" ", b"a b", b"a/b", b"a@b", b"a,b", b"a:b", b"a:1:2", b"a?b", b"[::1", b"\xffa", b"a" * 256],
)
def test_what_is_no_host_is_refused(host: bytes) -> None:
    with pytest.raises(MalformedRequest):
        head(headers=[(b"host", host)])


@pytest.mark.parametrize(
    "host", [b"shop.example", b"shop:8080", b"127.0.0.1:3000", b"[::1]:3000", b"[2001:db8::1]"]
)
def test_a_host_is_passed_on(host: bytes) -> None:
    assert head(headers=[(b"host", host)]).headers["x-forwarded-host"] == host.decode()


def test_only_http_10_goes_without_a_host() -> None:
    assert head(headers=[], http_version="1.0").headers["x-forwarded-host"] == ""
    with pytest.raises(MalformedRequest):
        head(headers=[])


def test_a_head_that_is_too_long_is_refused() -> None:
    with pytest.raises(HeadTooLarge):
        head((b"x-a", b"b" * MAX_HEAD_BYTES))
    with pytest.raises(HeadTooLarge):
        head(*[(b"x-a", b"b")] * MAX_HEADERS)


def test_a_null_byte_in_the_query_is_refused() -> None:
    with pytest.raises(MalformedRequest):
        head(query_string=b"q=a%00b")


def test_the_origin_of_a_page_is_known_and_passed_on() -> None:
    asked = head((b"origin", b"https://shop.example"))
    assert (asked.origin, asked.headers["origin"]) == (b"https://shop.example", "https://shop.example")
    assert head().origin is None


def test_repeated_headers_stay_repeated_and_utf8_stays_itself() -> None:
    passed = head((b"x-a", b"1"), (b"x-a", "ü".encode())).headers
    assert passed.getall("x-a") == ["1", "ü"]


def test_a_header_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(MalformedRequest):
        head((b"idempotency-key", b"\xff"))


def test_where_a_request_comes_from_is_written_anew() -> None:
    passed = head(
        (b"x-forwarded-for", b"10.0.0.1"), (b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"evil")
    ).headers
    assert passed.getall("x-forwarded-for") == [ADDRESS]
    assert passed.getall("x-forwarded-proto") == ["http"]
    assert passed.getall("x-forwarded-host") == ["shop.example"]


def test_path_and_query_stay_as_they_were_written() -> None:
    asked = head(raw_path=b"/v1/products/a%20b", query_string=b"q=%C3%BC&sort=-price")
    assert asked.target == "/v1/products/a%20b?q=%C3%BC&sort=-price"


def test_a_sane_request_id_is_kept() -> None:
    assert head((b"x-request-id", b"abc_DEF-1")).headers["x-request-id"] == "abc_DEF-1"


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 65, b"a\nb", b"<script>"])
def test_another_request_id_is_replaced(given: bytes) -> None:
    asked = head((b"x-request-id", given))
    assert len(asked.request_id) == 32
    assert asked.headers.getall("x-request-id") == [asked.request_id]


def test_a_clients_trace_goes_on_with_a_new_span() -> None:
    asked = head((b"traceparent", f"00-{TRACE_ID}-00f067aa0ba902b7-00".encode()))
    version, trace_id, span, flags = asked.headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE_ID, "00")
    assert asked.trace_id == TRACE_ID
    assert span != "00f067aa0ba902b7"


@pytest.mark.parametrize("given", [b"garbage", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01"])
def test_a_trace_that_cannot_be_is_replaced(given: bytes) -> None:
    asked = head((b"traceparent", given))
    assert asked.headers["traceparent"].split("-")[1] == asked.trace_id
    assert asked.trace_id not in given.decode()


def test_a_vendors_state_goes_with_its_trace() -> None:
    state = (b"tracestate", b"vendor=1")
    continued = (b"traceparent", f"00-{TRACE_ID}-00f067aa0ba902b7-00".encode())
    assert head(continued, state).headers["tracestate"] == "vendor=1"
    assert "tracestate" not in head(state).headers


def test_an_answer_goes_back_without_what_is_for_the_hop_and_with_the_requests_id() -> None:
    received = (
        (b"Content-Type", b"application/json"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
        (b"Connection", b"keep-alive, X-Hop"),
        (b"X-Hop", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"X-Request-Id", b"theirs"),
        (b"X-Micromart-Identity", b"echoed"),
    )
    assert passed_back(received, "ours") == [
        (b"content-type", b"application/json"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"x-request-id", b"ours"),
    ]
