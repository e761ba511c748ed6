"""The mail sink: keeps what it takes, in order, through a kill; refuses two kinds of addresses."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from aiosmtplib import SMTPRecipientsRefused, send

from tests.mail_sink import ROOT, MailSink, running_sink
from tests.stores.notifications_post import new_address


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[MailSink]:
    async with running_sink(tmp_path / "mail") as running:
        yield running


async def post(sink: MailSink, to: str, subject: str = "Hello") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@micromart.example", to, subject
    mail["Message-ID"] = f"<{uuid4().hex}@micromart.example>"
    mail.set_content("Grüße\n.\n")
    await send(mail, hostname="127.0.0.1", port=sink.smtp_port)


async def test_mail_is_shown_in_the_order_of_its_arrival(sink: MailSink) -> None:
    to = new_address()
    for number in range(3):
        await post(sink, to, f"Number {number} — größer")
    await post(sink, new_address())
    arrived = await sink.messages(to)
    assert [one.subject for one in arrived] == [f"Number {number} — größer" for number in range(3)]
    assert (arrived[0].sender, arrived[0].to) == ("shop@micromart.example", [to])
    assert arrived[0].text.replace("\r\n", "\n") == "Grüße\n.\n"


async def test_what_was_taken_survives_a_kill(sink: MailSink) -> None:
    to = new_address()
    await asyncio.gather(*(post(sink, to, str(number)) for number in range(5)))
    before = await sink.messages(to)
    await sink.kill()
    await sink.start()
    await post(sink, to, "after")
    after = await sink.messages(to)
    assert after[:-1] == before
    assert [one.subject for one in after[5:]] == ["after"]


@pytest.mark.parametrize(("to", "code"), [("bounce@example.com", 550), ("DEFER-me@example.com", 451)])
async def test_two_kinds_of_addresses_are_refused(sink: MailSink, to: str, code: int) -> None:
    with pytest.raises(SMTPRecipientsRefused) as refused:
        await post(sink, to)
    assert refused.value.recipients[0].code == code
    assert await sink.messages(to) == []


async def test_one_message_is_given_as_it_lies_there(sink: MailSink) -> None:
    to = new_address()
    await post(sink, to)
    (arrived,) = await sink.messages(to)
    raw = await sink.raw(arrived.id)
    assert raw == (sink.folder / f"{arrived.id}.eml").read_bytes()
    assert f"Message-ID: {arrived.message_id}".encode() in raw


@pytest.mark.parametrize("message_id", ["00000099", "..%2F..%2Fetc%2Fpasswd"])
async def test_what_is_not_there_is_not_found(sink: MailSink, message_id: str) -> None:
    asked = f"{sink.url}/messages/{message_id}"
    async with aiohttp.ClientSession() as session, session.get(asked) as answer:
        assert answer.status == 404


async def test_a_wrong_environment_is_named_in_one_line() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox.mail",
        cwd=ROOT,
        env={**os.environ, "MICROMART_SMTP_PORT": "many"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert said.decode().startswith("mail: MICROMART_SMTP_PORT: ")
    assert said.count(b"\n") == 1


async def test_it_ends_in_order_when_it_is_told_to(sink: MailSink) -> None:
    assert await sink.stop(signal.SIGTERM) == 0
