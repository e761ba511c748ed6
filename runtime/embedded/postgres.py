"""PostgreSQL: a cluster made once, a role and a database a service, passwords on every connection."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from runtime.embedded import binaries
from runtime.embedded.errors import PlatformError
from runtime.embedded.probes import HOST
from runtime.embedded.servers import Server, server_environment

SUPERUSER = "postgres"
# PostgreSQL refuses to run as root: then it runs as the first of these that exists, or the first is made.
_USERS_FOR_ROOT = ("embedded_postgres", "postgres")
# A Unix socket's whole path has to fit in 107 bytes.
_LONGEST_SOCKET_PATH = 107

_SETTINGS = {
    "listen_addresses": HOST,
    "max_connections": "200",
    "shared_buffers": "64MB",
}


class PostgresServer(Server):
    """PostgreSQL with one role and one database of that name for each service that is given a password."""

    # A fast shutdown: SIGTERM would wait for every client to leave first.
    stop_signal = signal.SIGINT

    def __init__(
        self, name: str, port: int, folder: Path, *, superuser_password: str, roles: Mapping[str, str]
    ) -> None:
        super().__init__(name, port, folder)
        self._superuser_password = superuser_password
        self._roles = roles

    @cached_property
    def user(self) -> str | None:
        return _user_to_run_as(self.folder)

    @property
    def url(self) -> str:
        return f"postgresql://{HOST}:{self.port}"

    @property
    def admin_url(self) -> str:
        return f"postgresql://{SUPERUSER}:{self._superuser_password}@{HOST}:{self.port}/{SUPERUSER}"

    def database_url(self, role: str, database: str | None = None) -> str:
        """How a role reaches its own database, or another one that it owns."""
        return f"postgresql://{role}:{self._roles[role]}@{HOST}:{self.port}/{database or role}"

    def check(self) -> None:
        super().check()
        if self.user is not None:
            _refuse_unreachable((self.folder, binaries.postgres("postgres")), self.user)

    def prepare(self) -> None:
        if not (self.folder / "PG_VERSION").exists():
            self._initialise()
        self._forget_reused_pid()

    def command(self) -> list[str]:
        command = [str(binaries.postgres("postgres")), "-D", str(self.folder), "-p", str(self.port)]
        socket_folder = self.folder if self._socket_fits() else ""
        settings = _SETTINGS | {"unix_socket_directories": str(socket_folder)}
        return command + [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def create_databases(self) -> None:
        """Give every service its role and its database, closed to the others; safe to repeat."""
        # A statement that fails must not put a password into the server's log.
        quiet = "SET log_min_error_statement = panic;\n"
        self.execute(quiet + "".join(_role_and_database(*role) for role in self._roles.items()))

    def execute(self, statements: str) -> None:
        """Run statements as the superuser; the first that fails ends it with PlatformError."""
        # In a session of its own, as initdb: a Ctrl-C is for the supervisor to act on.
        psql = [str(binaries.postgres("psql")), "-XqAt", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run(
            [*psql, "-h", HOST, "-p", str(self.port), "-U", SUPERUSER],
            input=statements,
            env=server_environment() | {"PGPASSWORD": self._superuser_password},
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise PlatformError(f"PostgreSQL in {self.folder} refused: {_last_line(done.stderr)}")

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there: a half-made one is never taken for whole."""
        fresh = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = fresh.with_name(f"{fresh.name}.password")
        password.touch(mode=0o600)
        password.write_text(self._superuser_password)
        if self.user is not None:
            for path in (fresh, password):
                shutil.chown(path, self.user, self.user)
        try:
            self._run_initdb(fresh, password)
        finally:
            password.unlink()
        if self.folder.exists():
            self.folder.rmdir()
        fresh.rename(self.folder)

    def _run_initdb(self, folder: Path, password: Path) -> None:
        initdb = [str(binaries.postgres("initdb")), "-D", str(folder), "--username", SUPERUSER]
        initdb += ["--pwfile", str(password), "--auth", "scram-sha-256", "--encoding", "UTF8"]
        initdb += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
        done = subprocess.run(
            initdb,
            cwd=folder,
            env=server_environment(),
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise PlatformError(f"initdb could not make {self.folder}: {_last_line(done.stderr)}")

    def _forget_reused_pid(self) -> None:
        """Remove a killed server's pid file when its number is another program's now.

        PostgreSQL would take any process of its user for a running server: in a container that was started
        again, numbers repeat.
        """
        pid_file = self.folder / "postmaster.pid"
        with suppress(FileNotFoundError):
            number = pid_file.read_text().split("\n", 1)[0]
            if Path(f"/proc/{number}/comm").read_text() != "postgres\n":
                pid_file.unlink()

    def _socket_fits(self) -> bool:
        return len(os.fsencode(self.folder / f".s.PGSQL.{self.port}")) <= _LONGEST_SOCKET_PATH


def _role_and_database(role: str, password: str) -> str:
    """What psql runs for one service; names and passwords are our own, none needs quoting."""
    return rf"""
        SELECT 'CREATE ROLE {role} LOGIN'
         WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \gexec
        ALTER ROLE {role} PASSWORD '{password}';
        SELECT 'CREATE DATABASE {role} OWNER {role}'
         WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{role}') \gexec
        REVOKE CONNECT ON DATABASE {role} FROM PUBLIC;
    """  # noqa: S608


def _user_to_run_as(folder: Path) -> str | None:
    """Who runs the server: for root the owner of an existing cluster, else an unprivileged user."""
    if os.geteuid() != 0:
        return None
    if (folder / "PG_VERSION").exists():
        return folder.owner()
    for user in _USERS_FOR_ROOT:
        try:
            pwd.getpwnam(user)
        except KeyError:
            continue
        return user
    return _made_user(_USERS_FOR_ROOT[0])


def _made_user(user: str) -> str:
    useradd = shutil.which("useradd")
    if useradd is None:
        raise PlatformError(
            "PostgreSQL does not run as root, and there is no useradd to make a user: run as another user"
        )
    subprocess.run([useradd, "--system", "--shell", "/bin/false", user], check=True, capture_output=True)
    return user


def _refuse_unreachable(paths: Iterable[Path], user: str) -> None:
    """Name the directories that keep the user out, rather than opening what is not ours to open."""
    parents = {parent: None for path in paths for parent in reversed(path.resolve().parents)}
    enter = subprocess.run(
        ["sh", "-c", 'for folder; do cd "$folder" || exit 1; done', "sh", *parents],
        user=user,
        group=user,
        extra_groups=[],
        cwd="/",
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if enter.returncode != 0:
        closed = " ".join(str(parent) for parent in parents if not parent.stat().st_mode & stat.S_IXOTH)
        raise PlatformError(
            f"as root, PostgreSQL runs as the user {user}, who cannot enter {closed}:"
            f" run `chmod o+x {closed}`, use another place (--data), or do not run as root"
        )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "(it said nothing)"
