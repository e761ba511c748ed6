"""The SMTP side: every address is taken, but for two kinds that show how a refusal looks."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.mail.mailbox import Mailbox

log = logging.getLogger(__name__)

BOUNCE, DEFER = "bounce", "defer"
HOSTNAME, IDENT = "mail.sandbox", "MicroMart's mail sink"


class Handler:
    """What aiosmtpd asks at each step of a message."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's own name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.lower().startswith(BOUNCE):
            return "550 5.1.1 There is no such mailbox"
        if address.lower().startswith(DEFER):
            return "451 4.3.0 This mailbox takes nothing now, try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's own name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            kept = await self._mailbox.add(envelope.mail_from or "", envelope.rcpt_tos, content)
        except OSError:
            log.exception("a message could not be kept")
            return "452 4.3.1 It cannot be kept now, try again later"
        return f"250 2.0.0 Kept as {kept}"


@asynccontextmanager
async def listening(mailbox: Mailbox, host: str, port: int) -> AsyncIterator[int]:
    """Take messages on the port (a free one for 0), which is yielded, in the loop that runs."""
    loop, handler = asyncio.get_running_loop(), Handler(mailbox)

    def conversation() -> SMTP:
        return SMTP(handler, hostname=HOSTNAME, ident=IDENT, enable_SMTPUTF8=True, loop=loop)

    server = await loop.create_server(conversation, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
