"""Proxies of others, beside which the gateway is measured: as plain proxies, on one core likewise."""

import sysconfig
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from proof.gateway_load import PATH
from proof.gateway_stand import Cores, Subject, running
from runtime.embedded.ports import free_port
from runtime.embedded.probes import HOST

# As fast as Go's runtime gets on one core: more threads than cores only take turns.
_ONE_CORE = {"GOMAXPROCS": "1"}
_BINARIES = Path(sysconfig.get_path("scripts"))

_TRAEFIK = """\
http:
  routers:
    all: {{ rule: "PathPrefix(`/`)", service: upstream }}
  services:
    upstream: {{ loadBalancer: {{ servers: [ {{ url: "http://{host}:{upstream}" }} ] }} }}
"""
_CADDY = """\
{{
    admin off
    auto_https off
    persist_config off
    log {{
        level ERROR
    }}
}}
http://:{port} {{
    bind {host}
    reverse_proxy {host}:{upstream}
}}
"""


def missing() -> list[str]:
    """The peers that are not installed."""
    return [name for name in PEERS if not (_BINARIES / name).is_file()]


@asynccontextmanager
async def peer(name: str, cores: Cores, behind: Subject, folder: Path) -> AsyncIterator[Subject]:
    """One that is installed, over the same upstream, on the core of what is measured."""
    port = free_port()
    command = PEERS[name](_BINARIES / name, port, behind.port, folder)
    probe = f"http://{HOST}:{port}{PATH}"
    told = _ONE_CORE | {"HOME": str(folder)}
    async with running(command, cores.measured, folder / f"{name}.log", probe, told) as pid:
        yield Subject(name, port, pid)


def _traefik(binary: Path, port: int, upstream: int, folder: Path) -> Sequence[str]:
    routes = folder / "traefik.yml"
    routes.write_text(_TRAEFIK.format(host=HOST, upstream=upstream))
    return (
        str(binary),
        f"--entrypoints.bench.address={HOST}:{port}",
        f"--providers.file.filename={routes}",
        "--log.level=ERROR",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    )


def _caddy(binary: Path, port: int, upstream: int, folder: Path) -> Sequence[str]:
    sites = folder / "Caddyfile"
    sites.write_text(_CADDY.format(host=HOST, port=port, upstream=upstream))
    return (str(binary), "run", "--config", str(sites), "--adapter", "caddyfile")


PEERS = {"traefik": _traefik, "caddy": _caddy}
