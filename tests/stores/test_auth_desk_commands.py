"""micromart api-keys and micromart staff-actions, against a real PostgreSQL."""

import asyncio
import getpass
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from cli.main import app
from contracts.auth import Scope
from runtime.settings import Settings
from services.auth.errors import ApiKeyRefused
from services.auth.factory import open_api_keys
from tests.conftest import FreshDatabase

CREATE = ("api-keys", "create", "--name", "importer", "--scope", "catalog:write", "--scope", "orders:read")
CREATE_SAM = (
    *("users", "create", "--email", "Sam@Example.com"),
    *("--password", "correct horse battery", "--role", "staff"),
)
ME = f"cli:{getpass.getuser()}"


@dataclass(frozen=True)
class Command:
    url: str
    nowhere: Path

    async def run(self, *arguments: str) -> Result:
        def invoke() -> Result:
            environment = {"MICROMART_AUTH_DATABASE_URL": self.url}
            return CliRunner().invoke(app, [*arguments, "--data", str(self.nowhere)], env=environment)

        # The command runs an event loop of its own, which takes a thread of its own.
        return await asyncio.to_thread(invoke)

    async def read(self, *arguments: str) -> Any:
        result = await self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    async def trail(self, *arguments: str) -> list[tuple[str, str, str, int]]:
        items = (await self.read("staff-actions", *arguments))["items"]
        return [(item["actor"], item["route"], item["path"], item["status"]) for item in items]


@pytest.fixture
async def command(fresh_database: FreshDatabase, tmp_path: Path) -> Command:
    return Command(await fresh_database("auth"), tmp_path / "nowhere")


async def test_the_key_that_is_printed_holds_until_it_is_revoked(command: Command) -> None:
    made = await command.read(*CREATE)
    async with open_api_keys(Settings(auth_database_url=SecretStr(command.url))) as keys:
        grant = await keys.check(SecretStr(made["key"]))
        scopes = frozenset({Scope.CATALOG_WRITE, Scope.ORDERS_READ})
        assert (grant.key_id, grant.scopes) == (made["id"], scopes)
        assert (await command.run("api-keys", "revoke", made["id"])).exit_code == 0
        with pytest.raises(ApiKeyRefused):
            await keys.check(SecretStr(made["key"]))


async def test_without_json_the_key_alone_is_printed(command: Command) -> None:
    printed = (await command.run(*CREATE)).stdout.strip()
    [listed] = (await command.read("api-keys", "list"))["items"]
    assert printed.startswith(f"{listed['prefix']}_")
    assert "key" not in listed


async def test_what_commands_do_is_in_the_trail(command: Command) -> None:
    made = await command.read(*CREATE)
    await command.run("api-keys", "revoke", made["id"])
    await command.run("api-keys", "revoke", "nobody-has-it")
    await command.run(*CREATE_SAM)
    assert await command.trail() == [
        (ME, "users create", "Sam@Example.com: staff", 200),
        (ME, "api-keys revoke", "nobody-has-it", 404),
        (ME, "api-keys revoke", made["id"], 200),
        (ME, "api-keys create", "importer: catalog:write, orders:read", 200),
    ]
    assert made["key"] not in str(await command.trail())


async def test_what_is_done_to_people_is_in_the_trail(command: Command) -> None:
    await command.run(*CREATE_SAM)
    await command.run("users", "demote", "--email", "sam@example.com")
    await command.run("users", "sign-out", "--email", "sam@example.com")
    await command.run("users", "sign-out", "--email", "nobody@example.com")
    assert await command.trail("--limit", "3") == [
        (ME, "users sign-out", "nobody@example.com", 404),
        (ME, "users sign-out", "sam@example.com", 200),
        (ME, "users demote", "sam@example.com: admin, staff", 200),
    ]


async def test_the_trail_can_be_asked_for_less(command: Command) -> None:
    await command.run(*CREATE)
    assert len(await command.trail("--actor", ME, "--from", "2026-01-01", "--limit", "1")) == 1
    assert await command.trail("--actor", "somebody") == []
    assert await command.trail("--until", "2026-01-01") == []


async def test_people_see_both_as_tables(command: Command) -> None:
    assert "nothing is noted" in (await command.run("staff-actions")).stdout
    await command.run(*CREATE)
    assert f"{ME}  CLI api-keys create" in (await command.run("staff-actions")).stdout
    assert "importer" in (await command.run("api-keys", "list")).stdout


async def test_a_key_that_nobody_made_is_told_in_one_line(command: Command) -> None:
    result = await command.run("api-keys", "revoke", "nobody-has-it")
    assert (result.exit_code, result.stderr) == (1, "micromart: there is no such key\n")
