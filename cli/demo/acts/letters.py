"""What the buyer got by mail meanwhile."""

from collections import Counter

from cli.demo.mailbox import mailbox_of
from cli.demo.stage import Stage


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
            "Set a new password": 1,
            "Your password was changed": 1,
        }
    )
    mailbox = await mailbox_of(stage)
    if mailbox is None:
        return

    async def subjects() -> Counter[str]:
        return Counter(letter.subject for letter in await mailbox.letters())

    fact = f"all {expected.total()} letters to {stage.who.email} have arrived, each once"
    await stage.becomes(fact, subjects, expected)
    for letter in await mailbox.letters():
        at = f"{letter.received_at.astimezone():%H:%M:%S}"
        stage.console.print(f"      {at}  {letter.subject}", style="dim", markup=False)
