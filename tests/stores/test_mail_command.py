"""micromart mail: what arrived at the sink of the platform that runs on a folder."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtplib import send
from typer.testing import CliRunner, Result

from cli.main import app
from runtime.embedded.folder import DataFolder
from runtime.embedded.kinds import Kind
from runtime.embedded.pids import Pid
from runtime.embedded.state import Phase, PlatformState, ProcessState
from tests.mail_sink import MailSink, running_sink
from tests.stores.notifications_post import new_address


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[MailSink]:
    async with running_sink(tmp_path / "mail") as running:
        yield running


def platform_on(folder: Path, *processes: ProcessState) -> None:
    """What a supervisor would have written down."""
    data = DataFolder(folder)
    data.prepare()
    data.keep_state(
        PlatformState(
            supervisor=Pid.of(os.getpid()),
            phase=Phase.UP,
            gateway="http://127.0.0.1:1",
            temporal_address="127.0.0.1:1",
            temporal_namespace="default",
            temporal_ui="http://127.0.0.1:1",
            processes=processes,
        )
    )


def process_of(sink: MailSink) -> ProcessState:
    return ProcessState(
        name="mail",
        kind=Kind.SANDBOX,
        url=sink.url,
        probe=f"{sink.url}/readyz",
        stop_signal=signal.SIGTERM,
        pid=None,
        since=None,
        restarts=0,
        ready=True,
    )


async def command(folder: Path, *arguments: str) -> Result:
    invoked = ["mail", *arguments, "--data", str(folder)]
    return await asyncio.to_thread(CliRunner().invoke, app, invoked)


async def post(sink: MailSink, to: str, subject: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@micromart.example", to, subject
    mail.set_content("It is [bold]on[/bold] its way.")
    await send(mail, hostname="127.0.0.1", port=sink.smtp_port)


async def test_mail_is_listed(tmp_path: Path, sink: MailSink) -> None:
    platform_on(tmp_path / "data", process_of(sink))
    ada, bob = new_address(), new_address()
    await post(sink, ada, "Your [parcel]")
    await post(sink, bob, "Welcome")

    shown = await command(tmp_path / "data")
    assert shown.exit_code == 0
    assert all(part in shown.output for part in (ada, "Your [parcel]", bob, "Welcome"))

    only = await command(tmp_path / "data", "--to", bob)
    assert ada not in only.output
    assert "Welcome" in only.output


async def test_machines_read_a_message_a_line(tmp_path: Path, sink: MailSink) -> None:
    platform_on(tmp_path / "data", process_of(sink))
    ada = new_address()
    for subject in ("one", "two"):
        await post(sink, ada, subject)
    shown = await command(tmp_path / "data", "--json")
    listed = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [(one["to"], one["subject"]) for one in listed] == [([ada], "one"), ([ada], "two")]
    assert listed[0]["from"] == "shop@micromart.example"


async def test_one_message_is_shown_whole(tmp_path: Path, sink: MailSink) -> None:
    platform_on(tmp_path / "data", process_of(sink))
    ada = new_address()
    await post(sink, ada, "Your parcel")
    (arrived,) = await sink.messages(ada)

    shown = await command(tmp_path / "data", arrived.id)
    assert "Subject: Your parcel" in shown.output
    assert "It is [bold]on[/bold] its way." in shown.output

    read = json.loads((await command(tmp_path / "data", arrived.id, "--json")).stdout)
    assert (read["headers"]["To"], read["text"].strip()) == (ada, "It is [bold]on[/bold] its way.")


async def test_no_mail_is_no_error(tmp_path: Path, sink: MailSink) -> None:
    platform_on(tmp_path / "data", process_of(sink))
    shown = await command(tmp_path / "data")
    assert (shown.exit_code, shown.output.strip()) == (0, "no mail yet")


async def test_a_message_that_is_not_there_is_told(tmp_path: Path, sink: MailSink) -> None:
    platform_on(tmp_path / "data", process_of(sink))
    shown = await command(tmp_path / "data", "../x")
    assert (shown.exit_code, shown.stderr) == (1, "micromart: there is no message ../x\n")


async def test_a_platform_without_a_sink_says_so(tmp_path: Path) -> None:
    platform_on(tmp_path / "data")
    shown = await command(tmp_path / "data")
    assert shown.exit_code == 1
    assert "no mail sink" in shown.stderr


async def test_where_nothing_runs_it_is_said_what_starts_it(tmp_path: Path) -> None:
    shown = await command(tmp_path / "nowhere")
    assert shown.exit_code == 1
    assert "micromart up" in shown.stderr


async def test_a_sink_that_does_not_answer_is_told(tmp_path: Path, sink: MailSink) -> None:
    platform_on(tmp_path / "data", process_of(sink))
    await sink.kill()
    shown = await command(tmp_path / "data")
    assert (shown.exit_code, "does not answer" in shown.stderr) == (1, True)
