"""The processes of ours: a plain table of what runs beside the servers."""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from contracts.topology import SERVICES, Service
from runtime.embedded.errors import PlatformError
from runtime.embedded.forks import Child, fork, without_settings
from runtime.embedded.kinds import Kind
from runtime.embedded.probes import HOST


class Process(Protocol):
    """What the supervisor keeps alive: a server, or a process of ours."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def port(self) -> int: ...
    @property
    def url(self) -> str: ...
    @property
    def probe(self) -> str: ...
    @property
    def stop_signal(self) -> signal.Signals: ...

    def start(self, log: Path) -> Child: ...


@dataclass(frozen=True)
class Program:
    """A process of ours by the dotted name of its main: upper layers are never imported from here."""

    name: str
    kind: Kind
    module: str
    service: Service | None = None

    def main(self) -> Callable[[], None]:
        """Its main function; a module that is missing or broken is named."""
        try:
            main: Callable[[], None] = import_module(self.module).main
        except (ImportError, AttributeError, SyntaxError) as error:
            raise PlatformError(f"{self.name} cannot start, {self.module} is not usable: {error}") from error
        return main


def programs() -> list[Program]:
    """Everything of ours, as production runs it with `python -m`."""
    return [
        Program("psp", Kind.SANDBOX, "sandbox.psp.__main__"),
        Program("mail", Kind.SANDBOX, "sandbox.mail.__main__"),
        *(Program(one.api, Kind.API, f"api.{one.name}.__main__", one) for one in SERVICES),
        *(Program(one.worker, Kind.WORKER, f"workers.{one.name}", one) for one in SERVICES),
        Program("gateway", Kind.GATEWAY, "api.gateway.__main__"),
    ]


@dataclass(frozen=True)
class ProgramProcess:
    """A program with its port and its settings."""

    program: Program
    port: int
    environment: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def kind(self) -> Kind:
        return self.program.kind

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def probe(self) -> str:
        return f"{self.url}/readyz"

    def start(self, log: Path) -> Child:
        """Fork it; its modules are imported by then."""
        return fork(self.name, self.program.main(), {**without_settings(os.environ), **self.environment}, log)
