"""docker-compose.yml and Dockerfile as the tests of the deployment read them."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

from contracts.topology import GATEWAY_PORT, PSP_PORT, SERVICES, WORKER_PORT_OFFSET
from runtime.settings import PREFIX, SHORTEST_SECRET, Settings, load_settings

ROOT = Path(__file__).parents[2]

# As long as a secret has to be.
FILLED_IN = "filled-in".ljust(SHORTEST_SECRET, "x")

INTERPOLATION = re.compile(r"\$\{(\w+)([^}]*)}")

JOBS = {"migrate", "temporal-schema", "temporal-namespace"}


class HealthCheck(BaseModel):
    test: list[str] = Field(default_factory=list)
    disable: bool = False


class Container(BaseModel):
    """What a service of the compose file says, as far as it is held here."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    image: str
    build: str | None = None
    command: list[str] = Field(default_factory=list)
    environment: dict[str, str] = Field(default_factory=dict)
    ports: list[str] = Field(default_factory=list)
    networks: list[str]
    volumes: list[str] = Field(default_factory=list)
    healthcheck: HealthCheck | None = None
    depends_on: dict[str, dict[str, str]] = Field(default_factory=dict)
    security_opt: list[str]
    cap_drop: list[str]

    @property
    def required(self) -> set[str]:
        """The names that its environment takes from outside and cannot do without."""
        found = INTERPOLATION.findall(" ".join(self.environment.values()))
        return {name for name, rest in found if rest.startswith(":?")}

    @property
    def health_path(self) -> str:
        """The path that the health check of a process of ours asks for."""
        assert self.healthcheck is not None
        path = re.search(r"\['MICROMART_PORT']}(/\w+)", self.healthcheck.test[-1])
        assert path is not None, self.healthcheck.test
        return path[1]


class Network(BaseModel):
    internal: bool = False


class Compose(BaseModel):
    services: dict[str, Container]
    networks: dict[str, Network | None]
    volumes: dict[str, None]


COMPOSE = Compose.model_validate(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))

CONTAINERS = COMPOSE.services

DOCKERFILE = (ROOT / "Dockerfile").read_text()

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def own_image() -> str:
    return f"micromart:{PROJECT['project']['version']}"


MODULES = {
    **{service.api: f"api.{service.name}" for service in SERVICES},
    **{service.worker: f"workers.{service.name}" for service in SERVICES},
    "gateway": "api.gateway",
    "psp": "sandbox.psp",
}

PORTS = {
    **{service.api: service.port for service in SERVICES},
    **{service.worker: service.port + WORKER_PORT_OFFSET for service in SERVICES},
    "gateway": GATEWAY_PORT,
    "psp": PSP_PORT,
}


def filled_in(variable: re.Match[str]) -> str:
    """What .env might say; most of it has no form of its own."""
    formed = {
        "MICROMART_SMTP_URL": "smtp://user:filled-in@mail.example:587",
        "MAIL_FROM": "shop@mail.example",
        "PUBLIC_URL": "https://shop.example",
        "OIDC_PROVIDERS": '{"google": {"issuer": "https://accounts.google.com", "client_id": "filled-in"}}',
        "TRUSTED_PROXIES": "172.16.0.0/12",
        "METRICS_NETWORKS": "10.0.0.0/8",
        "CORS_ORIGINS": "https://shop.example",
        "DRAIN_SECONDS": "5",
    }
    return formed.get(variable[1], FILLED_IN)


def settings_of(name: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a container's process would read: what the compose file gives it and nothing else."""
    for known in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{known.upper()}", raising=False)
    for variable, value in CONTAINERS[name].environment.items():
        monkeypatch.setenv(variable, INTERPOLATION.sub(filled_in, value))
    return load_settings()
