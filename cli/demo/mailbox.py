"""The customer's mail, where the platform has a mail sink."""

import asyncio

from cli.demo.stage import Stage
from cli.mail import Mail, Sink
from runtime.embedded.errors import PlatformError


class Mailbox:
    """What one address was sent."""

    def __init__(self, sink: Sink, address: str) -> None:
        self._sink = sink
        self._address = address

    async def letters(self) -> list[Mail]:
        """The oldest first."""
        return await asyncio.to_thread(self._sink.messages, to=self._address)

    async def text_of(self, subject: str) -> str:
        """What the letter of this subject says; empty while there is none."""
        return next((letter.text for letter in await self.letters() if letter.subject == subject), "")


async def mailbox_of(stage: Stage) -> Mailbox | None:
    """The customer's; None, which is told, where mail goes to a server of somebody's own."""
    try:
        return Mailbox(await asyncio.to_thread(Sink, stage.data), stage.who.email)
    except PlatformError as error:
        stage.console.print(f"  {error}", markup=False)
        return None
