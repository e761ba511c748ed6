"""micromart: the one command."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from cli.bench import bench
from cli.demo.command import demo
from cli.down import down
from cli.logs import logs
from cli.mail import mail
from cli.migrate import migrate
from cli.reactions import reactions
from cli.seed import seed
from cli.staff_actions import staff_actions
from cli.status import status
from cli.up import up
from contracts.errors import DomainError
from runtime.embedded.errors import PlatformError
from runtime.settings import MissingSetting

# A command's module imports what is heavy inside its function: `micromart status` must not wait for the rest.
COMMANDS: tuple[Callable[..., None], ...] = (
    demo,
    up,
    down,
    status,
    logs,
    mail,
    reactions,
    migrate,
    seed,
    staff_actions,
    bench,
)
# Groups of commands by their module, imported only when called; each holds a Typer of its own name.
GROUPS = {
    "api-keys": "cli.api_keys",
    "events": "cli.events.commands",
    "keys": "cli.keys",
    "users": "cli.users",
}


class MicroMart(TyperGroup):
    """What the person at the keyboard can put right is told in one line, without a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in GROUPS:
            return super().get_command(ctx, cmd_name)
        return typer.main.get_command(getattr(import_module(GROUPS[cmd_name]), cmd_name.replace("-", "_")))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (PlatformError, MissingSetting, DomainError) as error:
            typer.echo(f"micromart: {error}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=MicroMart,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A commerce backend whose checkout cannot be lost, doubled or oversold.",
)
for command in COMMANDS:
    app.command()(command)


if __name__ == "__main__":
    app()
