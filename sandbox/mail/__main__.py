"""python -m sandbox.mail: one process, one folder."""

import os
import signal
import sys

import uvicorn

from sandbox.mail.app import create_app
from sandbox.mail.errors import MailboxError, SettingsError
from sandbox.mail.mailbox import Mailbox
from sandbox.mail.settings import Settings


def main() -> None:
    """Serve until SIGTERM or SIGINT, then exit 0; 2 when the environment or the folder forbids a start."""
    # uvicorn raises the signal again once it has shut down: then this is what ends the process.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))
    try:
        settings = Settings.read(os.environ)
        mailbox = Mailbox(settings.folder)
    except (SettingsError, MailboxError) as error:
        print(f"mail: {error}", file=sys.stderr)
        sys.exit(2)
    uvicorn.run(
        create_app(mailbox, settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
