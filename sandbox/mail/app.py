"""The HTTP side: what has arrived, for people and for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from sandbox.mail.mailbox import Mailbox, Message
from sandbox.mail.settings import Settings
from sandbox.mail.smtp import listening


class Messages(BaseModel):
    items: list[Message]


def create_app(mailbox: Mailbox, settings: Settings) -> FastAPI:
    """Takes mail for as long as it serves: the SMTP port opens and closes with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with listening(mailbox, settings.host, settings.smtp_port) as port:
            app.state.smtp_port = port
            print(f"mail: taking mail on smtp://{settings.host}:{port}", flush=True)
            yield

    app = FastAPI(title="Sandbox mail server", lifespan=lifespan)

    @app.get("/messages")
    async def messages(
        to: str | None = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> Messages:
        """The last messages, oldest first; to one address, or after one message, if asked."""
        return Messages(items=await mailbox.messages(to=to, after=after, limit=limit))

    @app.get("/messages/{message_id}")
    async def message(message_id: str) -> Response:
        """One message, as it was sent."""
        raw = await mailbox.raw(message_id)
        if raw is None:
            return JSONResponse({"error": "there is no such message"}, 404)
        return Response(raw, media_type="message/rfc822")

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        """Answers only once mail is taken: nothing is served before."""
        return {"status": "ready"}

    return app
