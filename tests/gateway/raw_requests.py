"""Requests as bytes, well-formed but for what a test adds."""


def get(path: str = "/v1/carts/x", *lines: str, version: str = "1.1") -> bytes:
    return head("GET", path, *lines, version=version)


def post(*lines: str, body: str = "") -> bytes:
    return head("POST", "/v1/carts", *lines) + body.encode("latin-1")


def head(method: str, path: str, *lines: str, version: str = "1.1", host: str = "Host: shop") -> bytes:
    first = [f"{method} {path} HTTP/{version}", *([host] if host else [])]
    return "\r\n".join([*first, *lines, "", ""]).encode("latin-1")


def chunked(body: str, *lines: str) -> bytes:
    return post("Transfer-Encoding: chunked", *lines, body=body)
