"""Mail over SMTP: one connection a message, bounded in time, every answer told apart."""

import asyncio
import re
import socket
import ssl
from email.message import EmailMessage
from typing import Self
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from contracts.errors import Unavailable
from runtime.settings import MissingSetting
from services.notifications.errors import Bounced

ANSWER_SECONDS = 5.0
# All answers together: a server that takes its time at every step holds nobody up for ever.
MESSAGE_SECONDS = 15.0
_ENHANCED_STATUS = re.compile(r"^[245]\.\d{1,3}\.\d{1,3}\b")
_PERMANENT = range(500, 600)


class SmtpMailer:
    """A mail server that passes our mail on. Of its answers only codes are kept: addresses follow."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        implicit_tls: bool = False,
        username: str | None = None,
        password: str | None = None,
        tls_context: ssl.SSLContext | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._host = host
        self._port = port
        self._implicit_tls = implicit_tls
        self._username = username
        self._password = password
        self._tls_context = tls_context
        self._answer_seconds = answer_seconds

    @classmethod
    def at(cls, url: str) -> Self:
        """The server at `smtp://[user:password@]host[:port]` or `smtps://`; a wrong URL is not repeated."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise MissingSetting("MICROMART_SMTP_URL is not a URL") from None
        if parts.scheme not in ("smtp", "smtps") or parts.hostname is None:
            raise MissingSetting("MICROMART_SMTP_URL must be smtp://[user:password@]host:port, or smtps://")
        return cls(
            parts.hostname,
            port or (465 if parts.scheme == "smtps" else 25),
            implicit_tls=parts.scheme == "smtps",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Hand the message over; Bounced when the server will never take it, Unavailable for all else.

        Unavailable may come after the server took it: sent again, it has the same Message-ID.
        """
        try:
            async with asyncio.timeout(MESSAGE_SECONDS), self._connection() as server:
                await self._hand_over(server, message, recipient)
        except (SMTPException, OSError, TimeoutError) as error:
            # Without its cause, which is logged where this ends up.
            raise Unavailable(f"the mail server cannot be used ({_kind_of(error)}), try again") from None

    def _connection(self) -> SMTP:
        # Credentials go through TLS or not at all.
        return SMTP(
            hostname=self._host,
            port=self._port,
            # Not its default, which asks DNS for every message.
            local_hostname=socket.gethostname(),
            use_tls=self._implicit_tls,
            start_tls=self._username is not None and not self._implicit_tls,
            username=self._username,
            password=self._password,
            tls_context=self._tls_context,
            timeout=self._answer_seconds,
        )

    async def _hand_over(self, server: SMTP, message: EmailMessage, recipient: str) -> None:
        try:
            await server.send_message(message, recipients=[recipient])
        except SMTPRecipientsRefused as error:
            raise _refusal(error.recipients[0].code, error.recipients[0].message) from None
        except SMTPDataError as error:
            raise _refusal(error.code, error.message) from None
        except SMTPNotSupported:
            raise Bounced("the mail server takes no address outside ASCII") from None


def _kind_of(error: Exception) -> str:
    code = f" {error.code}" if isinstance(error, SMTPResponseException) else ""
    return f"{type(error).__name__}{code}"


def _refusal(code: int, words: str) -> Bounced | Unavailable:
    enhanced = _ENHANCED_STATUS.match(words)
    said = f"{code} {enhanced[0]}" if enhanced else str(code)
    if code in _PERMANENT:
        return Bounced(f"the mail server refuses it for good ({said})")
    return Unavailable(f"the mail server does not take it now ({said})")
