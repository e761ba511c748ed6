"""Which answers of a mail server are final, and what it is never told."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from contracts.errors import Unavailable
from runtime.settings import MissingSetting
from services.notifications.errors import Bounced
from services.notifications.smtp import SmtpMailer
from tests.ports import free_port

RECIPIENT = "ada@example.com"


class Server:
    """A mail server that gives one answer to each command, and remembers whom it heard log in."""

    def __init__(self, *, sender: str = "250 OK", recipient: str = "250 OK", data: str = "250 OK") -> None:
        self._answers = (sender, recipient, data)
        self.logins: list[Any] = []
        self.taken = 0

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self._answers[0]

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self._answers[1]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.taken += 1
        return self._answers[2]

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, *how: Any) -> AuthResult:
        self.logins.append(how)
        return AuthResult(success=True)


@asynccontextmanager
async def serving(handler: Server, **options: Any) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="mail.test", loop=loop, authenticator=handler.authenticate, **options),
        "127.0.0.1",
        0,
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def message() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@micromart.example", RECIPIENT, "Hello"
    mail.set_content("Hello")
    return mail


async def send(port: int, **options: Any) -> None:
    await SmtpMailer("127.0.0.1", port, **options).send(message(), RECIPIENT)


@pytest.mark.parametrize(
    ("answers", "refused"),
    [
        ({"recipient": f"550 5.1.1 <{RECIPIENT}> is unknown"}, Bounced),
        ({"recipient": "553 no such name"}, Bounced),
        ({"data": "554 5.6.0 this is spam"}, Bounced),
        ({"recipient": "450 4.2.1 busy"}, Unavailable),
        ({"data": "451 4.3.0 later"}, Unavailable),
        # It is us who are refused, not the recipient.
        ({"sender": "550 5.7.1 you may not send"}, Unavailable),
    ],
)
async def test_only_what_is_final_for_this_message_is_a_bounce(
    answers: dict[str, str], refused: type[Exception]
) -> None:
    async with serving(Server(**answers)) as port:
        with pytest.raises(refused) as error:
            await send(port)
    assert RECIPIENT not in str(error.value)


async def test_a_server_that_is_not_there_is_an_outage() -> None:
    with pytest.raises(Unavailable):
        await send(free_port())


async def test_a_server_that_never_answers_is_an_outage() -> None:
    # The system takes the connection, and nobody ever accepts it.
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(Unavailable):
        await send(listener.getsockname()[1], answer_seconds=0.1)


async def test_credentials_go_through_no_open_line() -> None:
    handler = Server()
    async with serving(handler, auth_require_tls=False) as port:
        with pytest.raises(Unavailable):
            await send(port, username="shop", password="open sesame")
    assert (handler.logins, handler.taken) == ([], 0)


async def test_credentials_go_through_tls_where_it_is_offered(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    on_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    on_server.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    handler = Server()
    async with serving(handler, tls_context=on_server) as port:
        mailer = SmtpMailer("localhost", port, username="shop", password="sesame", tls_context=trusting)
        await mailer.send(message(), RECIPIENT)
    assert (len(handler.logins), handler.taken) == (1, 1)


@pytest.mark.parametrize("url", ["http://host:25", "smtp://", "smtp://host:notaport", "host:25"])
def test_a_wrong_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(MissingSetting) as error:
        SmtpMailer.at(url)
    assert "host:notaport" not in str(error.value)


def self_signed(folder: Path) -> Path:
    """A certificate of localhost with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file = folder / "localhost.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return file
