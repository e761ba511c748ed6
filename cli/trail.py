"""What commands change that only the staff may is written down like what comes through the gateway."""

import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.auth import StaffAction
from contracts.errors import DomainError
from contracts.problems import STATUS_OF
from runtime.settings import Settings
from runtime.trace import new_id
from services.auth.factory import open_staff_actions

DONE, FAILED = 200, 500


@asynccontextmanager
async def noted(settings: Settings, command: str, subject: str) -> AsyncIterator[None]:
    """Note what is about to be done and to what, in the name of this machine's user; then how it ended."""
    action = StaffAction(
        actor=f"cli:{getpass.getuser()}",
        method="CLI",
        route=command,
        path=subject,
        request_id=new_id(),
        trace_id=new_id(),
        address=socket.gethostname(),
    )
    async with open_staff_actions(settings) as trail:
        action_id = await trail.note(action)
        status = FAILED
        try:
            yield
            status = DONE
        except DomainError as error:
            status = int(STATUS_OF[error.refusal.kind])
            raise
        finally:
            await trail.end(action_id, status)
