"""A Temporal UI of the tests' own, which notes what reaches it."""

import asyncio

from starlette.types import Receive, Scope, Send

from tests.gateway.temporal_ui_door import without_lifespan
from tests.gateway_peers import answer


class FakeUi:
    """Notes what it is sent; under /stream it answers in two pieces, the second when it is told to."""

    def __init__(self) -> None:
        self.requests: list[Scope] = []
        self.bodies: list[bytes] = []
        self.go_on = asyncio.Event()
        self.left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await without_lifespan(receive, send)
            return
        self.requests.append(scope)
        self.bodies.append((await receive()).get("body", b""))
        if scope["path"] == "/temporal/api/stream":
            await self._stream(send)
        elif scope["path"] == "/temporal/api/never":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left += 1
        else:
            await answer(send, 200, b"{}", [(b"set-cookie", b"a=b"), (b"content-type", b"application/json")])

    async def _stream(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await self.go_on.wait()
        await send({"type": "http.response.body", "body": b"second"})

    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.requests[-1]["headers"]}
