"""What the buyer got by mail meanwhile."""

import asyncio
from collections import Counter

from cli.demo.stage import Stage
from cli.mail import Mail, Sink
from runtime.embedded.errors import PlatformError


async def read_them(stage: Stage, *, declined: int) -> None:
    """Each letter once: those of the account, of three orders, and of as many that came to nothing."""
    stage.title("Mail")
    expected = Counter(
        {
            "Welcome to MicroMart": 1,
            "Please confirm your address": 1,
            "Thank you for your order": 3,
            "Your order could not be completed": declined,
            "Your parcel is on its way": 2,
            "Your order is cancelled": 1,
        }
    )
    try:
        sink = await asyncio.to_thread(Sink, stage.data)
    except PlatformError as error:
        stage.console.print(f"  {error}", markup=False)
        return

    async def got() -> list[Mail]:
        return await asyncio.to_thread(sink.messages, to=stage.who.email)

    async def subjects() -> Counter[str]:
        return Counter(mail.subject for mail in await got())

    fact = f"all {expected.total()} letters to {stage.who.email} have arrived, each once"
    await stage.becomes(fact, subjects, expected)
    for mail in await got():
        at = f"{mail.received_at.astimezone():%H:%M:%S}"
        stage.console.print(f"      {at}  {mail.subject}", style="dim", markup=False)
