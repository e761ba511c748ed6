"""micromart mail: what arrived at the embedded platform's mail sink."""

import http.client
import json
import time
from contextlib import suppress
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlencode, urlsplit

import typer
from pydantic import BaseModel, Field, ValidationError
from rich.table import Table
from rich.text import Text

from cli.options import DEFAULT_DATA, Data, command_line, console
from runtime.embedded.errors import PlatformError
from runtime.embedded.folder import DataFolder

SINK = "mail"
ANSWER_SECONDS = 5.0
FOLLOW_SECONDS = 0.5


class Mail(BaseModel):
    """One message as the sink tells of it."""

    id: str
    sender: str = Field(alias="from")
    to: list[str]
    subject: str
    received_at: datetime
    message_id: str
    text: str


class Mails(BaseModel):
    items: list[Mail]


def mail(
    message: Annotated[str | None, typer.Argument(help="The id of one message; all without it.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Only what was sent to this address.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as mail comes.")] = False,
    data: Data = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For machines, a message a line.")] = False,
) -> None:
    """Show the mail that the platform has sent, or one message of it."""
    sink = Sink(data)
    if message is not None:
        _show_one(sink.message(message), as_json=as_json)
        return
    found = sink.messages(to=to)
    _show(found, as_json=as_json)
    with suppress(KeyboardInterrupt):
        while follow:
            time.sleep(FOLLOW_SECONDS)
            last = found[-1].id if found else None
            if more := sink.messages(to=to, after=last):
                _show(more, as_json=as_json, head=False)
                found = more


class Sink:
    """The mail sink of the platform that runs on a data folder."""

    def __init__(self, data: Path) -> None:
        state = DataFolder(data).state()
        if state is None:
            raise PlatformError(f"nothing runs on {data}; {command_line('up', data)} starts it")
        urls = [process.url for process in state.processes if process.name == SINK]
        if not urls:
            raise PlatformError("this platform has no mail sink: its mail goes to MICROMART_SMTP_URL")
        self._address = urlsplit(urls[0]).netloc

    def messages(self, *, to: str | None = None, after: str | None = None) -> list[Mail]:
        """The last messages, oldest first."""
        asked = {name: value for name, value in (("to", to), ("after", after)) if value is not None}
        status, body = self._get(f"/messages?{urlencode(asked)}")
        try:
            if status == http.HTTPStatus.OK:
                return Mails.model_validate_json(body).items
        except ValidationError as error:
            raise PlatformError("the mail sink answers what this version does not understand") from error
        raise PlatformError(f"the mail sink answered {status}")

    def message(self, message_id: str) -> bytes:
        """One message, as it was sent."""
        status, body = self._get(f"/messages/{quote(message_id, safe='')}")
        if status != http.HTTPStatus.OK:
            raise PlatformError(f"there is no message {message_id}")
        return body

    def _get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._address, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise PlatformError("the mail sink does not answer; `micromart status` tells more") from error
        finally:
            connection.close()


def _show(mails: list[Mail], *, as_json: bool, head: bool = True) -> None:
    if as_json:
        for one in mails:
            typer.echo(one.model_dump_json(by_alias=True))
        return
    if not mails:
        if head:
            console.print("no mail yet", style="dim")
        return
    table = Table("id", "when", "to", "subject", box=None, header_style="bold", show_header=head)
    for one in mails:
        # As Text: what others wrote is no markup of ours.
        when = f"{one.received_at.astimezone():%H:%M:%S}"
        table.add_row(one.id, when, Text(plain(", ".join(one.to))), Text(plain(one.subject)))
    console.print(table)


def _show_one(raw: bytes, *, as_json: bool) -> None:
    parsed = message_from_bytes(raw, EmailMessage, policy=default)
    headers = {name: plain(str(value)) for name, value in parsed.items()}
    body = parsed.get_body(("plain", "html"))
    text = str(body.get_content()) if body is not None else ""
    if as_json:
        typer.echo(json.dumps({"headers": headers, "text": text}, indent=2))
        return
    for name in ("From", "To", "Subject", "Date", "Message-ID"):
        if name in headers:
            console.print(Text.assemble((f"{name}: ".rjust(12), "dim"), headers[name]))
    console.print()
    console.print(Text("\n".join(plain(line) for line in text.splitlines())))


def plain(text: str) -> str:
    """A line of others' text as a terminal can be given it."""
    return "".join(char if char.isprintable() else " " for char in text)
