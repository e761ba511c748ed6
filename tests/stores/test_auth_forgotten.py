"""What the auth worker does about forgotten passwords."""

import asyncio
from contextlib import suppress

from contracts.auth import PASSWORD_RESET_REQUESTED
from tests.conftest import FreshDatabase
from tests.polling import until
from tests.stores.auth_desk import EMAIL, PASSWORD, open_desk
from workers.auth_mail import ForgottenPasswords


async def test_a_request_is_answered_by_itself(fresh_database: FreshDatabase) -> None:
    async with open_desk(fresh_database) as desk:
        await desk.accounts.register(EMAIL, PASSWORD)
        await desk.requests.note(EMAIL)

        async def is_mailed() -> bool:
            return len(await desk.mailed(PASSWORD_RESET_REQUESTED)) == 1

        running = asyncio.create_task(ForgottenPasswords(desk.requests, pause=0.01).run())
        try:
            await until(is_mailed)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
