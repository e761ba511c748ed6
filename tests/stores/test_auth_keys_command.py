"""micromart keys, against a real PostgreSQL."""

import asyncio
import getpass
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from typer.testing import CliRunner, Result

from cli.keys import PUBLISHED_SECONDS
from cli.main import app
from runtime.database import Database
from runtime.settings import Settings
from services.auth.factory import open_keys
from tests.conftest import FreshDatabase

SECRET = "a-key-secret-of-the-tests-and-of-nobody-else"


@dataclass(frozen=True)
class Command:
    url: str
    nowhere: Path

    async def run(self, *arguments: str) -> Result:
        def invoke() -> Result:
            environment = {
                "MICROMART_AUTH_DATABASE_URL": self.url,
                "MICROMART_AUTH_KEY_SECRET": SECRET,
            }
            return CliRunner().invoke(app, ["keys", *arguments, "--data", str(self.nowhere)], env=environment)

        # The command runs an event loop of its own, which takes a thread of its own.
        return await asyncio.to_thread(invoke)

    async def read(self, *arguments: str) -> Any:
        result = await self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    async def states(self) -> dict[str, str]:
        return {key["kid"]: key["state"] for key in (await self.read("list"))["items"]}

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        database = Database(self.url)
        async with database.begin() as connection:
            found = [tuple(row) for row in await connection.execute(text(query))]
        await database.dispose()
        return found


@pytest.fixture
async def command(fresh_database: FreshDatabase, tmp_path: Path) -> Command:
    """The command, where auth has made its first key."""
    url = await fresh_database("auth")
    settings = Settings(auth_database_url=SecretStr(url), auth_key_secret=SecretStr(SECRET))
    async with open_keys(settings) as keys:
        await keys.published()
    return Command(url, tmp_path / "nowhere")


async def test_a_rotation_publishes_a_key_that_signs_once_all_know_it(command: Command) -> None:
    [first] = await command.states()
    made = await command.read("rotate")
    assert await command.states() == {made["kid"]: "next", first: "signs"}
    published, signs = (datetime.fromisoformat(made[name]) for name in ("created_at", "signs_from"))
    assert signs - published == timedelta(seconds=PUBLISHED_SECONDS)


async def test_a_second_rotation_has_to_wait(command: Command) -> None:
    await command.run("rotate")
    refused = await command.run("rotate")
    assert (refused.exit_code, "takes over at" in refused.output) == (1, True)
    assert len(await command.states()) == 2


async def test_a_key_is_published_for_some_seconds_at_least(command: Command) -> None:
    assert (await command.run("rotate", "--publish", "1")).exit_code == 2
    assert len(await command.states()) == 1


async def test_the_key_that_signs_is_retired_only_when_compromised(command: Command) -> None:
    [first] = await command.states()
    refused = await command.run("retire", first)
    assert (refused.exit_code, "rotate first" in refused.output) == (1, True)
    assert (await command.read("retire", first, "--compromised"))["state"] == "retired"
    states = await command.states()
    assert (states.pop(first), list(states.values())) == ("retired", ["signs"])


@pytest.mark.parametrize("kid", ["no-such-key", "-dash", "--dashes", "-"])
async def test_a_key_that_there_never_was_is_said_to_be_unknown(command: Command, kid: str) -> None:
    refused = await command.run("retire", kid)
    assert (refused.exit_code, "no signing key" in refused.output) == (1, True)


async def test_the_keys_are_shown_as_a_table_without_anything_secret(command: Command) -> None:
    [first] = await command.states()
    shown = (await command.run("list")).stdout
    assert first in shown
    assert "signs from" in shown
    [(sealed,)] = await command.rows("SELECT sealed_private_key FROM signing_keys")
    assert str(sealed) not in shown


async def test_who_changed_the_keys_is_written_down(command: Command) -> None:
    [first] = await command.states()
    await command.run("rotate")
    await command.run("retire", first)
    noted = await command.rows("SELECT actor, route, path, status FROM staff_actions ORDER BY noted_at")
    me = f"cli:{getpass.getuser()}"
    assert noted == [(me, "keys rotate", "signing keys", 200), (me, "keys retire", first, 409)]
