"""What one `up` will run: servers, processes, ports and settings, decided before anything starts."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.topology import (
    GATEWAY_PORT,
    MAIL_PORT,
    PSP_PORT,
    SERVICES,
    SMTP_PORT,
    WORKER_PORT_OFFSET,
    Service,
    Store,
)
from runtime.embedded.environment import as_environment, given_settings, settings_of
from runtime.embedded.errors import PlatformError
from runtime.embedded.folder import DataFolder
from runtime.embedded.migrations import MIGRATED
from runtime.embedded.ports import free_port, is_free
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.probes import HOST
from runtime.embedded.processes import Process, ProgramProcess, programs
from runtime.embedded.servers import MongoServer, TemporalServer, ValkeyServer
from runtime.settings import SECRETS, Environment, refuse_weak, store_setting

DEFAULT_PORTS = {
    "temporal": 7233,
    "temporal-ui": 8233,
    "postgres": 5433,
    "valkey-carts": 6381,
    "valkey-bus": 6382,
    "mongo": 27018,
    "psp": PSP_PORT,
    "mail": MAIL_PORT,
    "mail-smtp": SMTP_PORT,
    **{service.api: service.port for service in SERVICES},
    **{service.worker: service.port + WORKER_PORT_OFFSET for service in SERVICES},
    "gateway": GATEWAY_PORT,
}
# A second port, and whose it is.
_SECOND_PORTS = {"temporal-ui": "temporal", "mail-smtp": "mail"}

_ON_POSTGRES = tuple(service for service in SERVICES if service.store is Store.POSTGRES)
# A server is not started when the user says where another one is.
_PROVIDED_BY = {
    "temporal": ("temporal_address",),
    "postgres": tuple(store_setting(service) for service in _ON_POSTGRES),
    "valkey-carts": ("carts_redis_url",),
    "valkey-bus": ("bus_redis_url",),
    "mongo": ("products_mongo_url",),
    "psp": ("psp_url",),
    "mail": ("smtp_url",),
}

# Everybody comes from one address here: the limits are a crowd's, those of production a person's.
_CROWD = {
    "limit_sign_in": "600/minute",
    "limit_read": "120000/minute",
    "limit_write": "60000/minute",
    "limit_checkout": "30000/minute",
    "limit_webhook": "60000/minute",
    "max_connections_per_address": "10000",
    "sign_in_failures_per_address": "500",
}

_SUPERUSER_PASSWORD = "postgres_password"  # noqa: S105 - the name of one


@dataclass(frozen=True)
class Plan:
    """Everything that the supervisor needs to know."""

    folder: DataFolder
    processes: tuple[Process, ...]
    postgres: PostgresServer | None
    migrated: tuple[str, ...]
    settings: Mapping[str, str]

    @property
    def runs_temporal(self) -> bool:
        return any(process.name == "temporal" for process in self.processes)

    @property
    def environment(self) -> dict[str, str]:
        """What a tool needs to reach all of it."""
        return as_environment(self.settings)


def plan(
    folder: DataFolder,
    *,
    auto_ports: bool,
    environment: str | None = None,
    only: Collection[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Plan:
    """Decide what runs where; refuses with PlatformError or MissingSetting before anything has started."""
    given = given_settings(environ)
    wanted = _wanted(only, given)
    ports = _ports(folder, wanted, auto=auto_ports)
    secrets = folder.secrets([*SECRETS, _SUPERUSER_PASSWORD, *map(_password_of, _ON_POSTGRES)])
    servers = _servers(folder.path, ports, secrets, given.get("temporal_namespace", "default"))
    started = [server for server in servers.all if server.name in wanted]
    for server in started:
        server.check()
    settings = {"environment": Environment.DEVELOPMENT} | _settings(folder, ports, secrets, servers) | given
    if environment is not None:
        settings["environment"] = environment
    if settings["environment"] != Environment.DEVELOPMENT:
        refuse_weak(settings)
    ours = [
        ProgramProcess(program, ports[program.name], settings_of(program, ports[program.name], settings))
        for program in programs()
        if program.name in wanted
    ]
    used = {process.program.service.name for process in ours if process.program.service is not None}
    return Plan(
        folder,
        (*started, *ours),
        servers.postgres if servers.postgres in started else None,
        tuple(service for service in MIGRATED if service in used),
        settings,
    )


def _wanted(only: Collection[str], given: Mapping[str, str]) -> set[str]:
    """The names of what runs: all that is asked for and that does not run elsewhere."""
    names = [name for name in DEFAULT_PORTS if name not in _SECOND_PORTS]
    if unknown := set(only).difference(names):
        raise PlatformError(f"no process is named {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    outside = {name for name, settings in _PROVIDED_BY.items() if given.keys() >= set(settings)}
    return set(only or names) - outside


def _ports(folder: DataFolder, wanted: Collection[str], *, auto: bool) -> dict[str, int]:
    """A port for every process, running or not; those of the ones that will run are free."""
    listening = {name for name in DEFAULT_PORTS if _SECOND_PORTS.get(name, name) in wanted}
    if auto:
        ports = _auto_ports(folder.ports(), listening)
        folder.keep_ports(ports)
        return ports
    taken = [name for name in DEFAULT_PORTS if name in listening and not is_free(DEFAULT_PORTS[name])]
    if taken:
        names = ", ".join(f"{DEFAULT_PORTS[name]} ({name})" for name in taken)
        raise PlatformError(
            f"in use already: port {names}; stop what listens there, or run `micromart up --ports auto`"
        )
    return dict(DEFAULT_PORTS)


def _auto_ports(before: Mapping[str, int], listening: Collection[str]) -> dict[str, int]:
    ports = {
        name: before[name]
        for name in DEFAULT_PORTS
        if name in before and (name not in listening or is_free(before[name]))
    }
    for name in DEFAULT_PORTS:
        if name not in ports:
            ports[name] = free_port(set(ports.values()))
    return ports


@dataclass(frozen=True)
class _Servers:
    temporal: TemporalServer
    postgres: PostgresServer
    carts: ValkeyServer
    bus: ValkeyServer
    mongo: MongoServer

    @property
    def all(self) -> tuple[TemporalServer, ValkeyServer, ValkeyServer, MongoServer, PostgresServer]:
        """In the order of their start: the others boot while PostgreSQL's cluster is made."""
        return (self.temporal, self.carts, self.bus, self.mongo, self.postgres)


def _servers(path: Path, ports: Mapping[str, int], secrets: Mapping[str, str], namespace: str) -> _Servers:
    return _Servers(
        TemporalServer(
            "temporal",
            ports["temporal"],
            path / "temporal",
            ui_port=ports["temporal-ui"],
            namespace=namespace,
        ),
        PostgresServer(
            "postgres",
            ports["postgres"],
            path / "postgres",
            superuser_password=secrets[_SUPERUSER_PASSWORD],
            roles={service.name: secrets[_password_of(service)] for service in _ON_POSTGRES},
        ),
        ValkeyServer("valkey-carts", ports["valkey-carts"], path / "valkey-carts", durable=True),
        ValkeyServer("valkey-bus", ports["valkey-bus"], path / "valkey-bus", durable=False),
        MongoServer("mongo", ports["mongo"], path / "mongo"),
    )


def _settings(
    folder: DataFolder, ports: Mapping[str, int], secrets: Mapping[str, str], servers: _Servers
) -> dict[str, str]:
    """Every setting that embedded mode computes, by its name in Settings."""
    return {
        **_CROWD,
        **{name: secrets[name] for name in SECRETS},
        **{store_setting(service): servers.postgres.database_url(service.name) for service in _ON_POSTGRES},
        "products_mongo_url": servers.mongo.url,
        "carts_redis_url": servers.carts.url,
        "bus_redis_url": servers.bus.url,
        "temporal_address": servers.temporal.url,
        "temporal_ui_url": servers.temporal.ui_url,
        **{f"{service.name}_url": f"http://{HOST}:{ports[service.api]}" for service in SERVICES},
        "gateway_url": f"http://{HOST}:{ports['gateway']}",
        "public_url": f"http://{HOST}:{ports['gateway']}",
        "psp_url": f"http://{HOST}:{ports['psp']}",
        "psp_ledger": str(folder.path / "psp-ledger.jsonl"),
        "psp_webhook_url": f"http://{HOST}:{ports['gateway']}/v1/payments/webhooks/sandbox",
        "mail_url": f"http://{HOST}:{ports['mail']}",
        "mail_folder": str(folder.path / "mail"),
        "smtp_port": str(ports["mail-smtp"]),
        "smtp_url": f"smtp://{HOST}:{ports['mail-smtp']}",
    }


def _password_of(service: Service) -> str:
    return f"{service.name}_database_password"
