"""What cannot be read on from: how that is seen, and how it is answered."""

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from api.gateway.errors import GatewayRefusal, MalformedRequest, refusal_response
from api.gateway.head import new_request_id


def refuse_unframed(
    version: str, method: str, headers: list[tuple[bytes, bytes]], *, is_upgrade: bool
) -> None:
    """Refuse what the parser takes although the next server might see its end somewhere else."""
    if method == "CONNECT":
        raise MalformedRequest("This is no proxy.")
    if version not in ("1.0", "1.1"):
        raise MalformedRequest("HTTP/1.1 and HTTP/1.0 are spoken here.")
    if version == "1.1" and not is_upgrade:
        return
    for name, value in headers:
        if name == b"transfer-encoding" or (is_upgrade and name == b"content-length" and value.strip(b"0 ")):
            raise MalformedRequest("Neither HTTP/1.0 has chunks, nor may a request to upgrade have a body.")


def cause_of(error: httptools.HttpParserError) -> GatewayRefusal:
    """Our own reason where a callback of ours refused, else what the parser missed."""
    ours = error.__context__
    return ours if isinstance(ours, GatewayRefusal) else MalformedRequest(f"This is not HTTP/1.1: {error}.")


def last_answer(error: GatewayRefusal) -> bytes:
    """The refusal as the whole last answer of a connection."""
    response = refusal_response(error)
    lines = [STATUS_LINE[response.status_code][:-2]]
    lines += [name + b": " + value for name, value in response.raw_headers]
    lines += [b"x-request-id: " + new_request_id().encode(), b"connection: close", b"", bytes(response.body)]
    return b"\r\n".join(lines)
