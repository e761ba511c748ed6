"""Where to look at what has just happened, to click and to paste."""

import os
import shlex
from pathlib import Path

from cli.demo.stage import Stage
from cli.options import command_line
from contracts.checkout import workflow_id_of
from contracts.reactions import WORKFLOW as REACTION
from runtime.embedded import binaries
from runtime.settings import Settings


def tell_links(stage: Stage, settings: Settings) -> None:
    """The links, each checkout's own workflow among them, then commands that show the same."""
    console = stage.console
    console.print("\n[bold]Look at it[/]")
    gateway = settings.gateway_url.rstrip("/")
    links = [
        ("gateway", gateway),
        ("API docs", f"{gateway}/docs"),
        ("events", f"{gateway}/asyncapi.json"),
        ("Temporal UI", settings.temporal_ui_url),
    ]
    shown = [seen.checkout for seen in stage.checkouts.placed if seen.checkout is not None]
    links += [(f"  {checkout.state}", checkout.temporal_url or "for staff only") for checkout in shown]
    ui = f"{settings.temporal_ui_url.rstrip('/')}/namespaces/{settings.temporal_namespace}/workflows"
    links += [(f"  {what}", f"{ui}/{workflow_id}") for what, workflow_id in stage.workflows]
    for what, where in links:
        console.print(f"  {what:<13} {where}", markup=False)
    console.print()
    for command in _commands(stage, settings):
        console.print(f"  {command}", markup=False)


def _commands(stage: Stage, settings: Settings) -> list[str]:
    temporal = f"{_typed(binaries.temporal())} workflow"
    there = f"--address {settings.temporal_address}"
    if settings.temporal_namespace != "default":
        there += f" --namespace {settings.temporal_namespace}"
    # The one that failed a step tells more than the one that went well.
    chosen = [workflow_id_of(seen.order_id) for seen in stage.checkouts.placed if seen.order_id][:2]
    return [
        *(f"{temporal} show -w {workflow} {there}" for workflow in chosen[-1:]),
        *(f"{temporal} describe -w {workflow} {there}" for workflow in chosen[:1]),
        f"{temporal} list --query \"CheckoutState='rejected'\" {there}",
        f"{temporal} list --query \"WorkflowType='{REACTION}'\" {there}",
        command_line(f"mail --to {stage.who.email}", stage.data),
        command_line("events tail", stage.data),
        command_line("staff-actions", stage.data),
        command_line("logs orders", stage.data),
    ]


def _typed(program: Path) -> str:
    """A program as one would type it here."""
    here = Path(os.getcwd())
    return shlex.quote(str(program.relative_to(here) if program.is_relative_to(here) else program))
