"""A request's head: what of it is passed on, and what the gateway writes itself."""

import re
import secrets

from multidict import CIMultiDict
from starlette.types import Scope

from api.gateway.errors import HeadTooLarge, MalformedRequest
from contracts.identity import REQUEST_ID_HEADER
from runtime.trace import TRACEPARENT_HEADER, new_traceparent, trace_id_of

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# What a client says of these is read here or made up: a service hears it from the gateway or not at all.
_OURS = frozenset(
    {
        b"authorization",
        b"content-length",
        b"expect",
        b"forwarded",
        b"host",
        b"traceparent",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
    }
)
_NOT_PASSED_ON = HOP_BY_HOP | _OURS
_OUR_PREFIX = b"x-micromart-"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_NO_TRACE_ID = "0" * 32
# What an access token of the longest kind and any browser's other headers need, several times over.
MAX_HEAD_BYTES = 32_768


class RequestHead:
    """One request's head, read once."""

    __slots__ = ("authorization", "chunked", "content_length", "headers", "request_id", "target", "trace_id")

    def __init__(self, scope: Scope) -> None:
        received: list[tuple[bytes, bytes]] = scope["headers"]
        _refuse_too_large(scope)
        own: dict[bytes, bytes] = {}
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.authorization: list[bytes] = []
        nominated = _nominated(received)
        try:
            for name, value in received:
                if name == b"authorization":
                    self.authorization.append(value)
                elif name in _NOT_PASSED_ON:
                    own[name] = value
                # Servers that read `_` as `-` would take x_micromart_identity for ours.
                elif b"_" not in name and not name.startswith(_OUR_PREFIX) and name not in nominated:
                    self.headers.add(name.decode(), value.decode())
            host = own.get(b"host", b"").decode()
            self.target = _target(scope)
        except UnicodeDecodeError as error:
            raise MalformedRequest("The query is not ASCII, or a header is not UTF-8.") from error

        length = own.get(b"content-length")
        self.content_length = int(length) if length is not None else None
        self.chunked = b"transfer-encoding" in own
        self.request_id = _request_id(own.get(b"x-request-id"))
        traceparent = _continued(own.get(b"traceparent", b""))
        self.trace_id = traceparent[3:35]

        client = scope.get("client")
        self.headers["x-forwarded-for"] = client[0] if client else "unknown"
        self.headers["x-forwarded-proto"] = scope["scheme"]
        self.headers["x-forwarded-host"] = host
        self.headers[REQUEST_ID_HEADER] = self.request_id
        self.headers[TRACEPARENT_HEADER] = traceparent

    @property
    def has_body(self) -> bool:
        return self.chunked or bool(self.content_length)


def new_request_id() -> str:
    return secrets.token_hex(16)


def passed_back(received: tuple[tuple[bytes, bytes], ...], request_id: str) -> list[tuple[bytes, bytes]]:
    """A service's answer headers as the client gets them, with the id of the request."""
    lowered = [(name.lower(), value) for name, value in received]
    nominated = _nominated(lowered)
    headers = [
        (name, value)
        for name, value in lowered
        if name not in HOP_BY_HOP
        and name not in nominated
        and name != b"x-request-id"
        and not name.startswith(_OUR_PREFIX)
    ]
    headers.append((b"x-request-id", request_id.encode()))
    return headers


def _refuse_too_large(scope: Scope) -> None:
    """The HTTP parser bounds neither, and a service would have to read them all again."""
    size = len(scope["raw_path"]) + len(scope["query_string"])
    size += sum(len(name) + len(value) for name, value in scope["headers"])
    if size > MAX_HEAD_BYTES:
        raise HeadTooLarge(MAX_HEAD_BYTES)


def _nominated(headers: list[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """The headers that `Connection` declares to be for this hop only."""
    return frozenset(
        token.strip().lower()
        for name, value in headers
        if name == b"connection"
        for token in value.split(b",")
    )


def _target(scope: Scope) -> str:
    """Path and query exactly as the client wrote them."""
    raw_path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return (raw_path + b"?" + query if query else raw_path).decode("ascii")


def _request_id(given: bytes | None) -> str:
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return new_request_id()


def _continued(given: bytes) -> str:
    """The client's trace with a span of ours, or a new trace."""
    traceparent = given.decode("latin-1")
    trace_id = trace_id_of(traceparent)
    if trace_id is None or trace_id == _NO_TRACE_ID:
        return new_traceparent()
    return f"00-{trace_id}-{secrets.token_hex(8)}-{traceparent[-2:]}"
