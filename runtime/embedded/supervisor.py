"""The supervisor: one loop without threads that starts, watches, restarts and ends every process."""

import asyncio
import gc
import os
import signal
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, Protocol

from runtime.embedded import pids
from runtime.embedded.errors import PlatformError
from runtime.embedded.folder import DataFolder
from runtime.embedded.forks import Child, fork, without_settings
from runtime.embedded.kinds import STOP_ORDER, Kind
from runtime.embedded.leftovers import GRACE_SECONDS, end_leftovers, stop_in_order
from runtime.embedded.migrations import migrate
from runtime.embedded.pids import Pid
from runtime.embedded.plan import Plan, plan
from runtime.embedded.processes import ProgramProcess
from runtime.embedded.signals import StopRequested, StopSignals
from runtime.embedded.state import Phase, PlatformState
from runtime.embedded.supervised import Supervised
from runtime.logs import configure_logs, get_logger
from runtime.settings import load_settings

log = get_logger(__name__)

TICK_SECONDS = 0.1
# A terminal that was closed, a pipe that was: rich makes an exit of the latter.
_NOBODY_LISTENS = (OSError, SystemExit)


class Report(Protocol):
    """Who hears of it while it happens."""

    def changed(self, state: PlatformState) -> None: ...

    def note(self, text: str) -> None: ...


class Supervisor:
    """Runs one plan from its first server to its last process's end."""

    def __init__(self, plan: Plan, report: Report) -> None:
        self._plan = plan
        self._folder = plan.folder
        self._report = report
        self._signals = StopSignals(self._kill_at_once)
        self._phase = Phase.STARTING
        self._written: PlatformState | None = None
        self._processes = [Supervised(process, self._folder.log(process.name)) for process in plan.processes]
        self._itself = _itself()

    def run(self) -> None:
        """Boot, then keep everything alive until a stop signal; leaves no process behind either way."""
        with self._signals:
            try:
                self._boot()
                while True:
                    self._tick()
            except StopRequested:
                pass
            finally:
                self._end()

    def _boot(self) -> None:
        for supervised in self._processes:
            self._folder.rotate_log(supervised.process.name)
        self._folder.keep_connections(self._plan.environment)
        self._start(Kind.SERVER)
        # The servers boot while we import.
        self._preload()
        self._wait_until_ready(Kind.SERVER)
        self._start(Kind.SANDBOX)
        self._provide_stores()
        self._start(Kind.API, Kind.WORKER)
        self._wait_until_ready(Kind.SANDBOX, Kind.API, Kind.WORKER)
        self._start(Kind.GATEWAY)
        self._wait_until_ready(Kind.GATEWAY)
        self._phase = Phase.UP
        self._save()

    def _start(self, *kinds: Kind) -> None:
        for supervised in self._of(kinds):
            self._signals.check()
            supervised.start()
            self._save()

    def _wait_until_ready(self, *kinds: Kind) -> None:
        while not all(supervised.is_ready for supervised in self._of(kinds)):
            self._tick()

    def _tick(self, seconds: float = TICK_SECONDS) -> None:
        self._signals.wait(seconds)
        for supervised in self._processes:
            if (note := supervised.check()) is not None:
                self._tell(note)
        self._save()

    def _preload(self) -> None:
        """Import everything once: each fork then starts at once and shares the memory."""
        for process in self._plan.processes:
            if isinstance(process, ProgramProcess):
                process.program.main()
                self._tick(0)
        if len(os.listdir("/proc/self/task")) > 1:
            raise PlatformError(
                "importing our modules has started a thread: such a process must not be forked"
            )
        gc.collect()
        # Objects that the collector never visits again stay on pages that the forks share.
        gc.freeze()

    def _provide_stores(self) -> None:
        """Create the databases, then bring every store and Temporal up to date in a child of its own."""
        if self._plan.postgres is not None:
            self._plan.postgres.create_databases()
        if not self._plan.migrated and not self._plan.runs_temporal:
            return
        said = self._folder.rotate_log("migrate")
        environment = without_settings(os.environ) | self._plan.environment
        migration = fork("migrate", self._migrate, environment, said)
        try:
            while (code := migration.poll()) is None:
                self._tick()
        finally:
            _end_child(migration)
        if code != 0:
            raise PlatformError(f"the migrations failed, {said} says why: {last_line(said)}")

    def _migrate(self) -> None:
        settings = load_settings()
        configure_logs(settings, "migrate")
        if self._plan.runs_temporal:
            # Slow to load: the servers start before that, and other commands do without.
            from runtime.embedded.search_attributes import add_search_attributes

            log.info("search attributes", added=asyncio.run(add_search_attributes(settings)))
        for service, applied in asyncio.run(migrate(self._plan.migrated, settings)).items():
            log.info("migrated", store=service, applied=applied)

    def _end(self) -> None:
        self._phase = Phase.STOPPING
        self._save()
        for kind in STOP_ORDER:
            for name in stop_in_order([supervised.state() for supervised in self._of([kind])]):
                self._tell(f"{name} did not stop in {GRACE_SECONDS:.0f} s and was killed")
            for supervised in self._of([kind]):
                supervised.reap()
            self._save()
        self._folder.forget()

    def _kill_at_once(self) -> NoReturn:
        for supervised in self._processes:
            supervised.kill()
        self._folder.forget()
        os._exit(1)

    def _of(self, kinds: Iterable[Kind]) -> list[Supervised]:
        return [supervised for supervised in self._processes if supervised.process.kind in kinds]

    def _save(self) -> None:
        """Write down what runs, if anything about it has changed."""
        settings = self._plan.settings
        state = PlatformState(
            supervisor=self._itself,
            phase=self._phase,
            gateway=settings["gateway_url"],
            temporal_address=settings["temporal_address"],
            temporal_namespace=settings.get("temporal_namespace", "default"),
            temporal_ui=settings["temporal_ui_url"],
            processes=tuple(supervised.state() for supervised in self._processes),
        )
        if state == self._written:
            return
        self._written = state
        try:
            self._folder.keep_state(state)
        except OSError as error:
            # A full disk must neither end what runs nor keep it from ending in order.
            self._tell(f"cannot write down what runs: {error}")
        with suppress(*_NOBODY_LISTENS):
            self._report.changed(state)

    def _tell(self, text: str) -> None:
        with suppress(*_NOBODY_LISTENS):
            self._report.note(text)


class AlreadyRunning(PlatformError):
    """Another supervisor has the data folder."""

    def __init__(self, folder: DataFolder) -> None:
        state = folder.state()
        where = f" (pid {state.supervisor.number}), {state.gateway}" if state is not None else ""
        super().__init__(f"a platform runs on {folder.path} already{where}; `micromart down` stops it")


def supervise(
    folder: DataFolder, report: Report, *, auto_ports: bool, environment: str | None, only: Collection[str]
) -> None:
    """Run the platform of this folder until told to stop; refuses with PlatformError before it starts."""
    folder.prepare()
    if not folder.lock():
        raise AlreadyRunning(folder)
    end_leftovers(folder)
    Supervisor(plan(folder, auto_ports=auto_ports, environment=environment, only=only), report).run()


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "(nothing)"


def _end_child(child: Child) -> None:
    """Make sure that a child of ours has ended and is reaped."""
    pid = Pid.of(child.pid)
    if child.poll() is None and pid is not None:
        pids.stop([(pid, signal.SIGTERM)], GRACE_SECONDS)
        child.poll()


def _itself() -> Pid:
    pid = Pid.of(os.getpid())
    if pid is None:
        raise PlatformError("the embedded platform needs /proc, as Linux has it")
    return pid
