"""What can be sent over a socket that no client library would send."""

import pytest

from tests.gateway.edge_door import Edge, answers
from tests.gateway.raw_requests import chunked, get, head, post

OK = (200, "")
MALFORMED = (400, "request.malformed")
TOO_LARGE = (431, "request.head_too_large")
NO_ROUTE = (404, "gateway.no_such_route")
NO_METHOD = (405, "gateway.method_not_allowed")

Expected = list[tuple[int, str]]


HELLO = "5\r\nhello\r\n0\r\n\r\n"
SECOND = "GET /v1/carts/smuggled HTTP/1.1\r\nHost: shop\r\n\r\n"

# What is sent; what comes back; how many whole requests the service reads.
CASES: dict[str, tuple[bytes, Expected, int]] = {
    # Framing of a body.
    "a length": (post("Content-Length: 5", body="hello"), [OK], 1),
    "chunks": (chunked(HELLO), [OK], 1),
    "both, length first": (
        post("Content-Length: 5", "Transfer-Encoding: chunked", body=HELLO),
        [MALFORMED],
        0,
    ),
    "both, chunks first": (
        post("Transfer-Encoding: chunked", "Content-Length: 5", body=HELLO),
        [MALFORMED],
        0,
    ),
    "two lengths": (post("Content-Length: 5", "Content-Length: 6", body="hello!"), [MALFORMED], 0),
    "one length twice": (post("Content-Length: 5", "Content-Length: 5", body="hello"), [MALFORMED], 0),
    "a list of lengths": (post("Content-Length: 5, 5", body="hello"), [MALFORMED], 0),
    "a signed length": (post("Content-Length: +5", body="hello"), [MALFORMED], 0),
    "a negative length": (post("Content-Length: -5", body="hello"), [MALFORMED], 0),
    "a hexadecimal length": (post("Content-Length: 0x5", body="hello"), [MALFORMED], 0),
    "a length beyond 64 bits": (post("Content-Length: 99999999999999999999"), [MALFORMED], 0),
    "an empty length": (post("Content-Length:", body="hello"), [MALFORMED], 0),
    "a length in two words": (post("Content-Length: 5 5", body="hello"), [MALFORMED], 0),
    "chunks by another name": (post("Transfer-Encoding: xchunked", body=HELLO), [MALFORMED], 0),
    "identity": (post("Transfer-Encoding: identity", body=HELLO), [MALFORMED], 0),
    "chunks within another encoding": (post("Transfer-Encoding: gzip, chunked", body=HELLO), [MALFORMED], 0),
    "chunks, then another encoding": (post("Transfer-Encoding: chunked, gzip", body=HELLO), [MALFORMED], 0),
    "chunks twice": (chunked(HELLO, "Transfer-Encoding: chunked"), [MALFORMED], 0),
    "chunks and identity": (chunked(HELLO, "Transfer-Encoding: identity"), [MALFORMED], 0),
    "chunks after a tab at the end": (post("Transfer-Encoding: chunked\t", body=HELLO), [MALFORMED], 0),
    "chunks behind a vertical tab": (post("Transfer-Encoding: \x0bchunked", body=HELLO), [MALFORMED], 0),
    "chunks in quotes": (post('Transfer-Encoding: "chunked"', body=HELLO), [MALFORMED], 0),
    "a space before the colon": (post("Transfer-Encoding : chunked", body=HELLO), [MALFORMED], 0),
    "chunks in HTTP/1.0": (
        head("POST", "/v1/carts", "Transfer-Encoding: chunked", version="1.0") + HELLO.encode(),
        [MALFORMED],
        0,
    ),
    "a chunk's size with a prefix": (chunked("0x5\r\nhello\r\n0\r\n\r\n"), [MALFORMED], 0),
    "a negative chunk": (chunked("-5\r\nhello\r\n0\r\n\r\n"), [MALFORMED], 0),
    "a chunk's size after a space": (chunked(" 5\r\nhello\r\n0\r\n\r\n"), [MALFORMED], 0),
    "a chunk's size before a space": (chunked("5 \r\nhello\r\n0\r\n\r\n"), [MALFORMED], 0),
    "a chunk beyond 64 bits": (chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), [MALFORMED], 0),
    "chunks with bare line feeds": (chunked("5\nhello\n0\n\n"), [MALFORMED], 0),
    "an extension that ends in a line feed": (chunked("5;a\nhello\r\n0\r\n\r\n"), [MALFORMED], 0),
    "a chunk longer than it says": (chunked("4\r\nhello\r\n0\r\n\r\n"), [MALFORMED], 0),
    "an extension": (chunked("5;a=b\r\nhello\r\n0\r\n\r\n"), [OK], 1),
    "a trailer": (chunked("5\r\nhello\r\n0\r\nX-Late: 1\r\n\r\n"), [OK], 1),
    "a trailer that says a length": (chunked("5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n"), [MALFORMED], 0),
    # Requests behind one another.
    "two in one packet": (get() + get(), [OK, OK], 2),
    "three, one with a body": (get() + post("Content-Length: 2", body="hi") + get(), [OK, OK, OK], 3),
    "a good one, then nonsense": (get() + b"\x16\x03\x01nonsense\r\n\r\n", [OK, MALFORMED], 1),
    "one after the last": (get("/v1/carts/x", "Connection: close") + SECOND.encode(), [OK], 1),
    "a refused body with a request in it": (
        post("Content-Length: 5000000", body=SECOND),
        [(413, "request.too_large")],
        0,
    ),
    "more than are read ahead": (get() * 100, [OK] * 65, 65),
    # The head.
    "bare line feeds": (get().replace(b"\r\n", b"\n"), [MALFORMED], 0),
    "one bare line feed": (b"GET /v1/carts/x HTTP/1.1\r\nHost: shop\nX-A: b\r\n\r\n", [MALFORMED], 0),
    "a bare carriage return": (b"GET /v1/carts/x HTTP/1.1\r\nHost: shop\rX-A: b\r\n\r\n", [MALFORMED], 0),
    "a folded header": (get("/v1/carts/x", "X-A: b", " c"), [MALFORMED], 0),
    "a folded first header": (b"GET /v1/carts/x HTTP/1.1\r\n Host: shop\r\n\r\n", [MALFORMED], 0),
    "a null byte in a value": (get("/v1/carts/x", "X-A: b\x00c"), [MALFORMED], 0),
    "a control character in a value": (get("/v1/carts/x", "X-A: b\x01c"), [MALFORMED], 0),
    "a null byte in a name": (get("/v1/carts/x", "X\x00A: b"), [MALFORMED], 0),
    "a name with a space": (get("/v1/carts/x", "X A: b"), [MALFORMED], 0),
    "a name beyond ASCII": (get("/v1/carts/x", "X\xff: b"), [MALFORMED], 0),
    "no name": (get("/v1/carts/x", ": b"), [MALFORMED], 0),
    "no colon": (get("/v1/carts/x", "nonsense"), [MALFORMED], 0),
    "two hosts": (get("/v1/carts/x", "Host: evil"), [MALFORMED], 0),
    "no host": (head("GET", "/v1/carts/x", host=""), [MALFORMED], 0),
    "a host with a path": (head("GET", "/v1/carts/x", host="Host: shop/evil"), [MALFORMED], 0),
    "a host with a user": (head("GET", "/v1/carts/x", host="Host: a@shop"), [MALFORMED], 0),
    "an empty host": (head("GET", "/v1/carts/x", host="Host:"), [MALFORMED], 0),
    "more headers than anybody needs": (
        get("/v1/carts/x", *(f"X-{number}: 1" for number in range(200))),
        [TOO_LARGE],
        0,
    ),
    "a longer header than anybody needs": (get("/v1/carts/x", "X-A: " + "b" * 40_000), [TOO_LARGE], 0),
    "a head without an end": (b"GET /v1/carts/x HTTP/1.1\r\nX-A: " + b"b" * 2_000_000, [TOO_LARGE], 0),
    "chunk extensions without an end": (chunked("5;" + "a" * 2_000_000), [MALFORMED], 0),
    "a trailer without an end": (chunked("0\r\nX-A: " + "b" * 2_000_000), [MALFORMED], 0),
    # The request line.
    "HTTP/1.0": (get(version="1.0"), [OK], 1),
    "HTTP/1.0 that would stay": (get("/v1/carts/x", "Connection: keep-alive", version="1.0") * 2, [OK], 1),
    "HTTP/0.9": (b"GET /v1/carts/x\r\n\r\n", [MALFORMED], 0),
    "HTTP/2.0 in words": (get(version="2.0"), [MALFORMED], 0),
    "HTTP/1.2": (get(version="1.2"), [MALFORMED], 0),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [MALFORMED], 0),
    "a greeting of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [MALFORMED], 0),
    "an unknown method": (head("FETCH", "/v1/carts/x"), [MALFORMED], 0),
    "a method in lower case": (head("get", "/v1/carts/x"), [MALFORMED], 0),
    "TRACE": (head("TRACE", "/v1/carts/x"), [NO_METHOD], 0),
    "CONNECT": (head("CONNECT", "evil:443") + SECOND.encode(), [MALFORMED], 0),
    "the host of Host in the target": (get("http://shop/v1/carts/x"), [OK], 1),
    "another host in the target": (get("http://evil/v1/carts/x"), [MALFORMED], 0),
    "a user in the target": (get("http://shop@evil/v1/carts/x"), [MALFORMED], 0),
    "another scheme in the target": (get("ftp://shop/v1/carts/x"), [MALFORMED], 0),
    "a target without a slash": (get("v1/carts/x"), [MALFORMED], 0),
    "everything": (head("OPTIONS", "*"), [NO_ROUTE], 0),
    "everything, got": (get("*"), [MALFORMED], 0),
    "a fragment": (get("/v1/carts/x#y"), [MALFORMED], 0),
    "a target beyond ASCII": (get("/v1/carts/\xfc"), [MALFORMED], 0),
    "a null byte in the target": (get("/v1/carts/\x00"), [MALFORMED], 0),
    "a null byte in the query": (get("/v1/carts/x?a=%00"), [MALFORMED], 0),
    "dot segments": (get("/v1/carts/../../internal/x"), [MALFORMED], 0),
    "an encoded slash": (get("/v1/carts/..%2finternal"), [MALFORMED], 0),
    "two slashes": (get("//internal/x"), [MALFORMED], 0),
    "overlong UTF-8": (get("/v1/carts/%c0%ae%c0%ae/x"), [MALFORMED], 0),
    # Other protocols.
    "an upgrade to HTTP/2": (
        get("/v1/carts/x", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA")
        + SECOND.encode(),
        [OK],
        1,
    ),
    "an upgrade with a body": (
        post("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 5", body="hello"),
        [MALFORMED],
        0,
    ),
    "an upgrade with chunks": (
        post("Connection: Upgrade", "Upgrade: h2c", "Transfer-Encoding: chunked", body=HELLO),
        [MALFORMED],
        0,
    ),
    "a web socket": (
        get("/v1/carts/x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAA"),
        [OK],
        1,
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_every_request_is_read_in_one_way_only(edge: Edge, case: str) -> None:
    sent, expected, reach = CASES[case]
    assert answers(await edge.exchange(sent)) == expected
    assert (len(edge.service.whole), edge.service.unreadable) == (reach, [])


@pytest.mark.parametrize("case", [name for name, (sent, _, _) in CASES.items() if len(sent) < 2_000])
async def test_it_does_not_matter_where_a_packet_ends(edge: Edge, case: str) -> None:
    sent, expected, reach = CASES[case]
    half = len(sent) // 2
    received = answers(await edge.exchange(sent[:half], sent[half:]))
    assert received == expected
    assert (len(edge.service.whole), edge.service.unreadable) == (reach, [])


async def test_a_trailer_is_no_header(edge: Edge) -> None:
    await edge.exchange(chunked("5\r\nhello\r\n0\r\nX-Order-Token: stolen\r\n\r\n"))
    [seen] = edge.service.whole
    assert seen.body == b"hello"
    assert "x-order-token" not in seen.headers


async def test_a_body_that_turns_out_to_be_broken_is_never_whole(edge: Edge) -> None:
    received = await edge.exchange(chunked("5\r\nhello\r\n"), b"nonsense\r\n\r\n")
    assert answers(received) == [MALFORMED]
    assert edge.service.whole == []


async def test_a_refusal_waits_for_the_answers_before_it(edge: Edge) -> None:
    reader, writer = await edge.connect()
    writer.write(get() + post("Content-Length: 2", body="hi") + b"nonsense\r\n\r\n")
    assert answers(await reader.read()) == [OK, OK, MALFORMED]
    writer.close()


async def test_only_a_client_that_is_told_to_sends_its_body(edge: Edge) -> None:
    reader, writer = await edge.connect()
    writer.write(post("Content-Length: 5", "Expect: 100-continue"))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hello")
    assert answers(await reader.read()) == [OK]
    writer.close()


async def test_a_client_of_http_10_gets_no_chunks(edge: Edge) -> None:
    edge.service.pieces = 1
    received = await edge.exchange(get("/v1/products", version="1.0"))
    assert b"transfer-encoding" not in received.lower()
    assert received.endswith(b"0123456789abcdef")
