"""What notifications does not start without."""

import pytest

from runtime.settings import MissingSetting, Settings
from services.notifications.factory import open_notifications_parts

COMPLETE = {
    "service_secret": "a secret of the tests",
    "notifications_database_url": "postgresql://nobody:x@127.0.0.1:1/nothing",
    "smtp_url": "smtp://127.0.0.1:1",
}


async def test_it_opens_while_everything_that_it_needs_is_down() -> None:
    async with open_notifications_parts(Settings.model_validate(COMPLETE)) as parts:
        assert not parts.service.written.is_set()


@pytest.mark.parametrize("missing", COMPLETE)
async def test_a_setting_that_is_missing_is_named(missing: str) -> None:
    settings = Settings.model_validate({name: value for name, value in COMPLETE.items() if name != missing})
    with pytest.raises(MissingSetting, match=f"MICROMART_{missing.upper()}"):
        async with open_notifications_parts(settings):
            pass


async def test_a_sender_without_an_address_is_named() -> None:
    settings = Settings.model_validate(COMPLETE | {"mail_from": "MicroMart"})
    with pytest.raises(MissingSetting, match="MICROMART_MAIL_FROM"):
        async with open_notifications_parts(settings):
            pass
