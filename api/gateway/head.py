"""A request's head: what of it is passed on, and what the gateway writes itself."""

import re
from collections.abc import Iterable
from functools import lru_cache

from multidict import CIMultiDict
from starlette.types import Scope

from api.gateway.errors import HeadTooLarge, MalformedRequest
from contracts.identity import ORDER_TOKEN_HEADER, REQUEST_ID_HEADER
from runtime.trace import TRACEPARENT_HEADER, new_id, new_span_id, new_traceparent, trace_id_of

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
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
        b"x-request-id",
    }
)
# Some server or framework takes these for the truth about the client, the method or the path.
_TRUSTED_SOMEWHERE = frozenset(
    {
        b"cf-connecting-ip",
        b"client-ip",
        b"fastly-client-ip",
        b"true-client-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-forwarded",
        b"x-host",
        b"x-http-host-override",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-real-ip",
    }
)
_NOT_PASSED_ON = HOP_BY_HOP | _OURS | _TRUSTED_SOMEWHERE
_OUR_PREFIX = b"x-micromart-"
_NO_PREFIXES = (
    _OUR_PREFIX,
    b"proxy",
    b"x-accel-",
    b"x-envoy-",
    b"x-forwarded-",
    b"x-original-",
    b"x-rewrite-",
)
_ONCE = frozenset({b"content-length", b"host", b"idempotency-key", b"transfer-encoding"})
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_NO_TRACE_ID = "0" * 32
# What an access token of the longest kind and any browser's other headers need, several times over.
MAX_HEAD_BYTES = 32_768
MAX_HEADERS = 100
# Honest ones name one or two; each is looked for in all the other headers.
MAX_NOMINATED = 16


class RequestHead:
    """One request's head, read once."""

    __slots__ = (
        "authorization",
        "chunked",
        "content_length",
        "headers",
        "origin",
        "request_id",
        "target",
        "trace_id",
    )

    def __init__(self, scope: Scope, address: str) -> None:
        """`address` is where the request comes from: what the client itself says about it is dropped."""
        own: dict[bytes, bytes] = {}
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.authorization: list[bytes] = []
        nominated: list[bytes] = []
        _refuse_too_large(scope)
        try:
            for name, value in scope["headers"]:
                passed_as = _passed_as(name)
                if passed_as is not None:
                    if name in _ONCE and passed_as in self.headers:
                        raise _repeated(name)
                    self.headers.add(passed_as, value.decode())
                elif name == b"authorization":
                    self.authorization.append(value)
                elif name == b"connection":
                    nominated.append(value)
                elif name in own and name in _ONCE:
                    raise _repeated(name)
                else:
                    own[name] = value
            self.target = _target(scope)
        except UnicodeDecodeError as error:
            raise MalformedRequest("The target is not ASCII, or a header is not UTF-8.") from error
        if sum(value.count(b",") for value in nominated) >= MAX_NOMINATED:
            raise MalformedRequest(f"`Connection` names more than {MAX_NOMINATED} things.")
        for token in _nominated(nominated):
            self.headers.popall(token.decode("latin-1"), None)

        host = _host(own.get(b"host"), scope)
        length = own.get(b"content-length")
        self.content_length = int(length) if length is not None else None
        self.chunked = b"transfer-encoding" in own
        origin = self.headers.get("origin")
        self.origin = origin.encode() if origin is not None else None
        self.request_id = _request_id(own.get(b"x-request-id"))
        traceparent = _continued(own.get(b"traceparent"), self.headers)
        self.trace_id = traceparent[3:35]

        self.headers["x-forwarded-for"] = address
        self.headers["x-forwarded-proto"] = scope["scheme"]
        self.headers["x-forwarded-host"] = host
        self.headers[REQUEST_ID_HEADER] = self.request_id
        self.headers[TRACEPARENT_HEADER] = traceparent

    @property
    def proves_somebody(self) -> bool:
        """Whether something is sent along that opens what is not for everybody."""
        return bool(self.authorization) or ORDER_TOKEN_HEADER in self.headers

    @property
    def has_body(self) -> bool:
        return self.chunked or bool(self.content_length)


def new_request_id() -> str:
    return new_id()


def passed_back(received: tuple[tuple[bytes, bytes], ...], request_id: str) -> list[tuple[bytes, bytes]]:
    """A service's answer headers as the client gets them, with the id of the request."""
    headers: list[tuple[bytes, bytes]] = []
    nominated: list[bytes] = []
    for name, value in received:
        returned_as = _returned_as(name)
        if returned_as is not None:
            headers.append((returned_as, value))
        elif name.lower() == b"connection":
            nominated.append(value)
    if tokens := _nominated(nominated):
        headers = [(name, value) for name, value in headers if name not in tokens]
    headers.append((b"x-request-id", request_id.encode()))
    return headers


# Clients send the same few dozen names; whoever makes up new ones pays for them alone.
@lru_cache(maxsize=1024)
def _passed_as(name: bytes) -> str | None:
    """How a header is called behind us, or None for one that ends here.

    Servers that read `_` as `-` would take x_micromart_identity for ours: such names end here as well.
    """
    if name in _NOT_PASSED_ON or name.startswith(_NO_PREFIXES) or b"_" in name:
        return None
    return name.decode("ascii")


@lru_cache(maxsize=1024)
def _returned_as(name: bytes) -> bytes | None:
    lowered = name.lower()
    ends_here = lowered in HOP_BY_HOP or lowered == b"x-request-id" or lowered.startswith(_OUR_PREFIX)
    return None if ends_here else lowered


def _repeated(name: bytes) -> MalformedRequest:
    return MalformedRequest(f"`{name.decode()}` stands in the request more than once.")


def _refuse_too_large(scope: Scope) -> None:
    """The HTTP parser bounds neither, and a service would have to read them all again."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    size = len(scope["raw_path"]) + len(scope["query_string"])
    for name, value in headers:
        size += len(name) + len(value)
    if size > MAX_HEAD_BYTES or len(headers) > MAX_HEADERS:
        raise HeadTooLarge(MAX_HEAD_BYTES, MAX_HEADERS)


def _nominated(connections: Iterable[bytes]) -> frozenset[bytes]:
    """The headers that `Connection` declares to be for this hop only."""
    return frozenset(
        token.strip().lower() for value in connections for token in value.split(b",") if token.strip()
    )


def _target(scope: Scope) -> str:
    """Path and query exactly as the client wrote them."""
    raw_path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    if not query:
        return raw_path.decode("ascii")
    # A text with a null byte is one that no database of ours can hold.
    if b"%00" in query:
        raise MalformedRequest("The query holds a null byte.")
    return (raw_path + b"?" + query).decode("ascii")


def _host(given: bytes | None, scope: Scope) -> str:
    """The host that the client asked for; only HTTP/1.0 may leave it out."""
    if given is None and scope["http_version"] == "1.0":
        return ""
    if given is None or not _HOST.fullmatch(given):
        raise MalformedRequest("`Host` is missing, or is no host.")
    return given.decode("ascii")


def _request_id(given: bytes | None) -> str:
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return new_request_id()


def _continued(given: bytes | None, headers: CIMultiDict[str]) -> str:
    """The client's trace with a span of ours, or a new trace, which no vendor's state belongs to."""
    if given is not None:
        traceparent = given.decode("latin-1")
        trace_id = trace_id_of(traceparent)
        if trace_id is not None and trace_id != _NO_TRACE_ID:
            return f"00-{trace_id}-{new_span_id()}-{traceparent[-2:]}"
    headers.popall("tracestate", None)
    return new_traceparent()
