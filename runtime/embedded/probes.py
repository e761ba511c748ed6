"""Is it serving? One short question in each server's own protocol, answered yes or no."""

import http.client
import socket
import struct
from urllib.parse import urlsplit

import bson

HOST = "127.0.0.1"
TIMEOUT_SECONDS = 1.0


def serves(url: str, timeout: float = TIMEOUT_SECONDS) -> bool:
    """Whether the server at the URL answers now; the scheme says in which protocol to ask."""
    parts = urlsplit(url)
    host, port = parts.hostname or HOST, parts.port
    match parts.scheme:
        case "http":
            return _http_ok(host, port, parts.path, timeout)
        case "postgresql":
            # It asks for credentials once it takes connections; before and after, it answers an error.
            return _answer(host, port, _POSTGRES_STARTUP, timeout).startswith(b"R")
        case "redis":
            # While it loads its file it says LOADING.
            return _answer(host, port, b"PING\r\n", timeout).startswith(b"+PONG")
        case "mongodb":
            return _answer(host, port, _MONGO_HELLO, timeout) != b""
    raise ValueError(f"no probe for {url}")


def _http_ok(host: str, port: int | None, path: str, timeout: float) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _postgres_startup() -> bytes:
    body = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"
    return struct.pack("!i", len(body) + 4) + body


def _mongo_hello() -> bytes:
    body = struct.pack("<iB", 0, 0) + bson.encode({"hello": 1, "$db": "admin"})
    return struct.pack("<iiii", len(body) + 16, 1, 0, 2013) + body


_POSTGRES_STARTUP = _postgres_startup()
_MONGO_HELLO = _mongo_hello()


def _answer(host: str, port: int | None, question: bytes, timeout: float) -> bytes:
    """The first bytes that come back; none when nobody answers in time."""
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.sendall(question)
            return connection.recv(64)
    except OSError:
        return b""
