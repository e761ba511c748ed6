"""micromart demo: boot, seed, play the story, and say where to look at it."""

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.down import down
from cli.options import DEFAULT_DATA, Data, console, settings_of_platform
from cli.seed import seed
from cli.up import Ports, up
from runtime.embedded.folder import DataFolder

if TYPE_CHECKING:
    from cli.demo.findings import Findings

LOOK_SECONDS = 0.5


def demo(
    data: Data = DEFAULT_DATA,
    ports: Annotated[Ports, typer.Option(help="The usual ports, or free ones.")] = Ports.DEFAULT,
    leave: Annotated[
        bool, typer.Option("--exit", help="Stop at the end; exit code 0 only if every fact was verified.")
    ] = False,
) -> None:
    """Play a customer against the platform, started if need be, and verify every step. Safe to repeat."""
    folder = DataFolder(data)
    state = folder.state()
    ours = state is None or not state.is_running
    # However we are told to go, what we started goes with us; `nohup` means it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    up(data, ports, detach=True)
    verified = False
    try:
        seed(data)
        verified = _played(data)
        if ours and not leave:
            _stay(folder)
    except KeyboardInterrupt:
        console.print()
    finally:
        if ours:
            down(data)
    raise typer.Exit(0 if verified else 1)


def _played(data: Path) -> bool:
    """Play it, say what was verified and where to look; whether everything was."""
    import asyncio

    from cli.demo.findings import Findings

    findings = Findings(console)
    asyncio.run(_play(data, findings))
    return findings.all_hold


async def _play(data: Path, findings: "Findings") -> None:
    from cli.demo.links import tell_links
    from cli.demo.story import play
    from runtime.temporal import connect

    settings = settings_of_platform(data)
    stage = await play(settings, await connect(settings), findings, console, data)
    if findings.all_hold:
        console.print(f"\n[bold green]all {findings.verified} facts verified[/]")
    else:
        console.print(f"\n[bold red]{findings.failed} not verified[/], {findings.verified} verified")
    if stage is not None:
        tell_links(stage, settings)


def _stay(folder: DataFolder) -> None:
    """Until Ctrl-C, or until the platform is stopped from elsewhere."""
    console.print("\nMicroMart stays up; Ctrl-C stops it")
    while (state := folder.state()) is not None and state.is_running:
        time.sleep(LOOK_SECONDS)
