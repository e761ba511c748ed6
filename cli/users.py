"""micromart users: who has an account, what they may do, and the end of either."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel, SecretStr
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.auth.views import AccountView
from cli.options import DEFAULT_DATA, Data, console, settings_of_platform
from cli.trail import noted
from contracts.errors import DomainError
from contracts.identity import Role
from runtime.embedded.errors import PlatformError
from runtime.settings import MissingSetting, load_settings, refuse_to_start
from services.auth.accounts import Accounts, Change
from services.auth.factory import open_accounts
from services.auth.store import User

Answer = TypeVar("Answer")
Email = Annotated[str, typer.Option(help="Whose account it is.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]

users = typer.Typer(name="users", help="Accounts and their roles.", no_args_is_help=True)

_SAID = {
    Change.CREATED: "[green]created[/]",
    Change.ROLES_ADDED: "existed already, [green]roles added[/], password unchanged, sessions ended",
    Change.HANDED_OVER: (
        "somebody had registered it who never showed that the address is theirs:"
        " [green]handed over[/], this password opens it and no other, sessions ended"
    ),
    Change.ROLES_TAKEN: "[green]roles taken[/], sessions ended; API keys that they made hold until revoked",
    Change.NONE: "nothing changed",
}


class ChangedUser(BaseModel):
    """What `users create --json` and `users demote --json` print."""

    change: Change
    user: AccountView


class SignedOutUser(BaseModel):
    """What `users sign-out --json` prints."""

    user: AccountView
    sessions_ended: int


class UserList(BaseModel):
    """What `users list --json` prints."""

    items: list[AccountView]


@users.command("create")
def create_user(
    email: Email,
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
    role: Annotated[list[Role], typer.Option(help="May be given more than once.")] = [Role.CUSTOMER],  # noqa: B006
    name: Annotated[str | None, typer.Option()] = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Make sure that an account exists and has the roles. Safe to repeat.

    A known one keeps its password; but one that is to be staff's, and whose password may be somebody else's,
    is handed over with this one.
    """

    async def create(accounts: Accounts) -> tuple[User, Change]:
        async with noted(load_settings(), "users create", f"{email}: {', '.join(sorted(role))}"):
            return await accounts.create_user(email, SecretStr(password), name, role)

    _tell(_with_accounts(data, create), as_json=as_json)


@users.command("demote")
def demote_user(
    email: Email,
    role: Annotated[list[Role], typer.Option(help="To take away; may be given more than once.")] = [  # noqa: B006
        Role.STAFF,
        Role.ADMIN,
    ],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Take roles from an account, which stays a customer's, and end its sessions. Safe to repeat."""

    async def demote(accounts: Accounts) -> tuple[User, Change]:
        async with noted(load_settings(), "users demote", f"{email}: {', '.join(sorted(role))}"):
            return await accounts.demote(email, role)

    _tell(_with_accounts(data, demote), as_json=as_json)


@users.command("sign-out")
def sign_out_user(email: Email, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """End every session of an account: in a second or two, none opens anything any more. Safe to repeat."""

    async def sign_out(accounts: Accounts) -> tuple[User, int]:
        async with noted(load_settings(), "users sign-out", email):
            return await accounts.sign_out(email)

    user, ended = _with_accounts(data, sign_out)
    if as_json:
        _print_json(SignedOutUser(user=AccountView.of(user), sessions_ended=ended))
    else:
        sessions = "session" if ended == 1 else "sessions"
        console.print(f"[bold]{escape(user.email)}[/]: {ended} {sessions} ended")


@users.command("list")
def list_users(
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Show the newest accounts."""

    async def newest(accounts: Accounts) -> list[User]:
        return await accounts.users(limit)

    found = _with_accounts(data, newest)
    if as_json:
        _print_json(UserList(items=[AccountView.of(user) for user in found]))
        return
    table = Table("email", "name", "roles", "since", "id")
    for user in found:
        since = f"{user.created_at:%Y-%m-%d %H:%M}"
        table.add_row(escape(user.email), escape(user.name or ""), _roles(user), since, user.id)
    console.print(table)


def _with_accounts(data: Path, use: Callable[[Accounts], Awaitable[Answer]]) -> Answer:
    """Run one use case against the database that the environment or an embedded platform names."""

    async def run() -> Answer:
        async with open_accounts(settings_of_platform(data)) as accounts:
            return await use(accounts)

    try:
        return asyncio.run(run())
    except (MissingSetting, PlatformError) as error:
        refuse_to_start(str(error))
    except DomainError as error:
        Console(stderr=True).print(f"[red]{error.refusal.code}[/]: {escape(error.detail)}")
        raise typer.Exit(1) from error


def _tell(changed: tuple[User, Change], *, as_json: bool) -> None:
    user, change = changed
    if as_json:
        _print_json(ChangedUser(change=change, user=AccountView.of(user)))
    else:
        console.print(f"[bold]{escape(user.email)}[/] ({_roles(user)}): {_SAID[change]}")


def _roles(user: User) -> str:
    return ", ".join(sorted(user.roles))


def _print_json(answer: BaseModel) -> None:
    typer.echo(answer.model_dump_json(indent=2))
