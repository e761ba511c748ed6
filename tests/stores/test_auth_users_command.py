"""micromart users, against a real PostgreSQL."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.users import users
from tests.conftest import FreshDatabase

STAFF = ("create", "--email", "Sam@Example.com", "--password", "correct horse", "--role", "staff")


@dataclass(frozen=True)
class Command:
    environment: dict[str, str | None]
    nowhere: Path

    async def run(self, *arguments: str) -> Result:
        def invoke() -> Result:
            return CliRunner().invoke(users, [*arguments, "--data", str(self.nowhere)], env=self.environment)

        # The command runs an event loop of its own, which takes a thread of its own.
        return await asyncio.to_thread(invoke)

    async def read(self, *arguments: str) -> Any:
        result = await self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
async def command(fresh_database: FreshDatabase, tmp_path: Path) -> Command:
    return Command({"MICROMART_AUTH_DATABASE_URL": await fresh_database("auth")}, tmp_path / "nowhere")


async def test_it_makes_a_staff_account(command: Command) -> None:
    made = await command.read(*STAFF, "--name", "Sam")
    assert made["change"] == "created"
    assert (made["user"]["email"], made["user"]["name"]) == ("sam@example.com", "Sam")
    assert made["user"]["roles"] == ["staff"]


async def test_it_is_safe_to_repeat(command: Command) -> None:
    first = await command.read(*STAFF)
    assert await command.read(*STAFF) == first | {"change": "none"}


async def test_it_gives_a_known_account_more_roles(command: Command) -> None:
    await command.read(*STAFF)
    made = await command.read(*STAFF, "--role", "admin")
    assert (made["change"], made["user"]["roles"]) == ("roles_added", ["admin", "staff"])


async def test_it_says_in_one_line_what_it_did_and_never_the_password(command: Command) -> None:
    result = await command.run(*STAFF)
    assert result.stdout == "sam@example.com (staff): created\n"


async def test_it_takes_a_role_away(command: Command) -> None:
    await command.read(*STAFF, "--role", "admin")
    made = await command.read("demote", "--email", "sam@example.com", "--role", "admin")
    assert (made["change"], made["user"]["roles"]) == ("roles_taken", ["staff"])


async def test_without_a_role_it_takes_all_of_the_staffs(command: Command) -> None:
    await command.read(*STAFF, "--role", "admin", "--role", "customer")
    made = await command.read("demote", "--email", "sam@example.com")
    assert made["user"]["roles"] == ["customer"]
    again = await command.run("demote", "--email", "sam@example.com")
    assert again.stdout == "sam@example.com (customer): nothing changed\n"


async def test_it_signs_somebody_out(command: Command) -> None:
    made = await command.read(*STAFF)
    signed_out = await command.read("sign-out", "--email", "Sam@Example.com")
    assert signed_out == {"user": made["user"], "sessions_ended": 0}
    result = await command.run("sign-out", "--email", "sam@example.com")
    assert result.stdout == "sam@example.com: 0 sessions ended\n"


@pytest.mark.parametrize("what", ["demote", "sign-out"])
async def test_it_says_whom_it_does_not_know(command: Command, what: str) -> None:
    result = await command.run(what, "--email", "nobody@example.com")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "auth.user_unknown: nobody has an account with this email\n"


async def test_without_a_role_it_makes_a_customer(command: Command) -> None:
    made = await command.read("create", "--email", "ada@example.com", "--password", "correct horse")
    assert made["user"]["roles"] == ["customer"]


async def test_it_names_why_it_refuses(command: Command) -> None:
    result = await command.run("create", "--email", "sam@example.com", "--password", "short")
    assert result.exit_code == 1
    assert "auth.invalid_password" in result.stderr


async def test_it_lists_who_has_an_account(command: Command) -> None:
    made = await command.read(*STAFF)
    assert await command.read("list") == {"items": [made["user"]]}
    assert "sam@example.com" in (await command.run("list")).stdout


async def test_without_a_database_it_ends_with_one_clear_line(command: Command) -> None:
    unset = Command({"MICROMART_AUTH_DATABASE_URL": None}, command.nowhere)
    result = await unset.run("list")
    assert result.exit_code == 2
    assert result.stderr.startswith("micromart: MICROMART_AUTH_DATABASE_URL is not set")
