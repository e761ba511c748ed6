import pytest

from api.gateway.errors import MalformedRequest
from api.gateway.head import MAX_HEAD_BYTES
from api.gateway.paths import origin_form, refuse_ambiguous


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/v1/products",
        b"/v1/products/",
        b"/v1/products/moka-pot",
        b"/v1/inventory/POT-1.5",
        b"/.well-known/jwks.json",
        b"/v1/products/a%20b",
        b"/v1/%61uth/me",
        b"/v1/products/caf%C3%A9",
        b"/v1/carts/mine/items/a~b_c!$&'()*+,=:@",
        b"/v1/products/a..b",
        b"/v1/products/..a",
    ],
)
def test_a_path_of_one_meaning_passes(path: bytes) -> None:
    refuse_ambiguous(path)


# With a repetition in the pattern each of them took minutes.
@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", [b".", b"%2e", b".%2e", b"a.", b"%c3%a9", b"-"], ids=repr)
def test_a_long_path_is_judged_in_one_reading(unit: bytes) -> None:
    refuse_ambiguous(b"/" + unit * (MAX_HEAD_BYTES // len(unit)) + b"a")


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/../internal",
        b"/v1/..",
        b"/v1/.",
        b"/./v1",
        b"/v1/.../x",
        b"/v1/%2e%2e/x",
        b"/v1/.%2E/x",
        b"/v1/%2e",
        b"/v1/products./x",
        b"/v1/products.",
        b"/v1/products%2e",
        b"//internal",
        b"/v1//products",
        b"/v1/products//",
        b"/v1/products;a=1",
        b"/v1/products/;/../x",
        b"/v1/products/a%3Bb",
        b"/v1/products/a%2fb",
        b"/v1/products/a%2Fb",
        b"/v1/products/a%5cb",
        b"/v1/products/a\\b",
        b"/v1/products/a%252fb",
        b"/v1/products/a%25",
        b"/v1/products/a%",
        b"/v1/products/a%2",
        b"/v1/products/a%zz",
        b"/v1/products/a%u002f",
        b"/v1/products/a%00",
        b"/v1/products/a%0d%0aX: 1",
        b"/v1/products/a%1f",
        b"/v1/products/a%7F",
        b"/v1/products/a b",
        b"/v1/products/a\tb",
        b"/v1/products/a\x00",
        b"/v1/products/a#b",
        b"/v1/products/\xc3\xbc",
        b"/v1/products/%c0%ae%c0%ae/x",
        b"/v1/products/%c0%af",
        b"/v1/products/%e0%80%af",
        b"/v1/products/%f0%80%80%af",
        b"/v1/products/%ff",
        b"/v1/products/%c3",
        b"/v1/products/%ed%a0%80",
        b"/v1/products/%EF%BC%8F",
        b"/v1/products/%EF%BC%8E%EF%BC%8E",
        b"/v1/products/%E2%80%A4",
        b"/v1/products/%C2%85",
        b"/v1/products/%E2%80%A8",
        b"/v1/products/a%E2%80%8Bb",
        b"/v1/products/a%E2%80%AEb",
    ],
)
def test_a_path_of_two_meanings_is_refused(path: bytes) -> None:
    with pytest.raises(MalformedRequest):
        refuse_ambiguous(path)


HOST = [(b"host", b"shop.example:80")]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/v1/products", (b"/v1/products", b"")),
        (b"/v1/products?a=1?b", (b"/v1/products", b"a=1?b")),
        (b"/v1/products?", (b"/v1/products", b"")),
        (b"http://shop.example:80/v1?a", (b"/v1", b"a")),
        (b"HTTPS://Shop.Example:80/v1", (b"/v1", b"")),
        (b"http://shop.example:80", (b"/", b"")),
        (b"http://shop.example:80?a", (b"/", b"a")),
    ],
)
def test_a_target_is_a_path_and_a_query(target: bytes, expected: tuple[bytes, bytes]) -> None:
    assert origin_form(target, "GET", HOST) == expected


def test_a_request_for_the_server_itself_has_no_path() -> None:
    assert origin_form(b"*", "OPTIONS", HOST) == (b"*", b"")


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"*",
        b"v1/products",
        b"?a=1",
        b"http://evil/v1",
        b"http://shop.example/v1",
        b"http://user@shop.example:80/v1",
        b"http:///v1",
        b"http:/v1",
        b"ftp://shop.example:80/v1",
        b"shop.example:80",
        b"/v1#a",
        b"/v1?a#b",
    ],
)
def test_another_target_is_refused(target: bytes) -> None:
    with pytest.raises(MalformedRequest):
        origin_form(target, "GET", HOST)


def test_a_target_cannot_choose_between_two_hosts() -> None:
    with pytest.raises(MalformedRequest):
        origin_form(b"http://a/v1", "GET", [(b"host", b"a"), (b"host", b"b")])
