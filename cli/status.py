"""micromart status: what runs, asked now."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.table import Table

from cli.options import DEFAULT_DATA, Data, command_line, console
from runtime.embedded.errors import PlatformError
from runtime.embedded.folder import DataFolder
from runtime.embedded.kinds import Kind
from runtime.embedded.probes import serves
from runtime.embedded.state import PlatformState, ProcessState

# A service bounds its own readiness check at 2 seconds.
PROBE_SECONDS = 2.5
BREAKER_STATE = "micromart_gateway_breaker_state"

# The state of each service's breaker, by the service; None while the gateway cannot be asked.
BreakerStates = dict[str, str] | None


def status(
    data: Data = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Show every process and whether it is ready now; exit code 0 when all are."""
    state = DataFolder(data).state()
    if state is None:
        raise PlatformError(f"nothing runs on {data}; {command_line('up', data)} starts it")
    with ThreadPoolExecutor(max_workers=len(state.processes) or 1) as probes:
        answers = list(probes.map(_is_ready, state.processes))
    ready = state.is_running and all(answers)
    breakers = breakers_of(state.gateway) if _gateway_is_ready(state, answers) else None
    if as_json:
        typer.echo(json.dumps(_document(state, answers, ready, breakers), indent=2))
    else:
        console.print(_table(state, answers))
        console.print(breakers_line(breakers))
        if not state.is_running:
            console.print(
                f"its supervisor was killed: {command_line('up', data)} starts anew", style="yellow"
            )
    raise typer.Exit(0 if ready else 1)


def _is_ready(process: ProcessState) -> bool:
    return process.pid is not None and process.pid.is_alive and serves(process.probe, PROBE_SECONDS)


def _gateway_is_ready(state: PlatformState, answers: list[bool]) -> bool:
    return any(
        answer
        for process, answer in zip(state.processes, answers, strict=True)
        if process.kind is Kind.GATEWAY
    )


def breakers_of(gateway: str) -> BreakerStates:
    """What the metrics of the gateway at this URL say of its breakers."""
    from prometheus_client.parser import text_string_to_metric_families

    connection = http.client.HTTPConnection(urlsplit(gateway).netloc, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if answer.status != 200:
        return None
    return {
        sample.labels["upstream"]: sample.labels["state"]
        for family in text_string_to_metric_families(text)
        if family.name == BREAKER_STATE
        for sample in family.samples
        if sample.value == 1
    }


def breakers_line(breakers: BreakerStates) -> str:
    """One line: what is not closed by name, the rest by its number."""
    if breakers is None:
        return "breakers: [yellow]unknown[/], the gateway does not tell"
    closed = sum(state == "closed" for state in breakers.values())
    others = [
        f"{service} [{'red' if state == 'open' else 'yellow'}]{state.replace('_', '-')}[/]"
        for service, state in sorted(breakers.items())
        if state != "closed"
    ]
    return f"breakers: {', '.join([*others, f'{closed} closed'])}"


def _document(
    state: PlatformState, answers: list[bool], ready: bool, breakers: BreakerStates
) -> dict[str, object]:
    return {
        "ready": ready,
        "gateway": state.gateway,
        "temporal": {
            "address": state.temporal_address,
            "namespace": state.temporal_namespace,
            "ui": state.temporal_ui,
        },
        "processes": [
            {
                "name": process.name,
                "kind": process.kind,
                "url": process.url,
                "pid": process.pid.number if process.pid is not None else None,
                "ready": answer,
                "restarts": process.restarts,
            }
            for process, answer in zip(state.processes, answers, strict=True)
        ],
        "breakers": breakers,
    }


def _table(state: PlatformState, answers: list[bool]) -> Table:
    table = Table("process", "kind", "ready", "url", "pid", "restarts", "up", box=None, header_style="bold")
    for process, answer in zip(state.processes, answers, strict=True):
        table.add_row(
            process.name,
            process.kind,
            "[green]yes[/]" if answer else "[red]no[/]",
            process.url,
            str(process.pid.number) if process.pid is not None else "-",
            f"[yellow]{process.restarts}[/]" if process.restarts else "0",
            _uptime(process),
        )
    return table


def _uptime(process: ProcessState) -> str:
    if process.pid is None or process.since is None:
        return "-"
    seconds = int(time.time() - process.since)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {seconds % 60:02}s"
