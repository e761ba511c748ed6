"""What each container is told: enough to start, and no secret more."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from api.auth.app import auth_app
from api.carts.app import carts_app
from api.fulfilment.app import fulfilment_app
from api.inventory.app import inventory_app
from api.notifications.app import notifications_app
from api.orders.app import orders_app
from api.payments.app import payments_app
from api.products.app import products_app
from contracts.topology import SERVICES
from runtime.postgres_outbox import open_postgres_outbox
from runtime.settings import PREFIX, Settings, load_settings
from sandbox.psp.settings import Settings as ProviderSettings
from services.carts.factory import open_carts
from services.fulfilment.factory import open_fulfilment
from services.inventory.factory import open_inventory
from services.notifications.factory import open_notifications_parts
from services.orders.factory import open_orders
from services.payments.factory import open_payments
from services.products.factory import open_products
from tests.unit.deployment import CONTAINERS, INTERPOLATION, MODULES, PORTS, ROOT, settings_of

APPS: dict[str, Callable[[Settings], FastAPI]] = {
    "auth-api": auth_app,
    "products-api": products_app,
    "orders-api": orders_app,
    "carts-api": carts_app,
    "inventory-api": inventory_app,
    "payments-api": payments_app,
    "fulfilment-api": fulfilment_app,
    "notifications-api": notifications_app,
}

OPENERS: dict[str, Callable[[Settings], AbstractAsyncContextManager[object]]] = {
    "auth-worker": lambda settings: open_postgres_outbox(settings.database_url("auth")),
    "products-worker": open_products,
    "orders-worker": open_orders,
    "carts-worker": open_carts,
    "inventory-worker": open_inventory,
    "payments-worker": open_payments,
    "fulfilment-worker": open_fulfilment,
    "notifications-worker": open_notifications_parts,
}

SERVICE, BUS = "MICROMART_SERVICE_SECRET", "VALKEY_BUS_PASSWORD"
API = {"MICROMART_IDENTITY_SECRET", SERVICE}
PSP_KEY, PSP_WEBHOOKS = "MICROMART_PSP_API_KEY", "MICROMART_PSP_WEBHOOK_SECRET"

# All that a container is told in confidence; one that is not named is told nothing.
SECRETS: dict[str, set[str]] = {
    "postgres": {
        "POSTGRES_PASSWORD",
        "AUTH_DATABASE_PASSWORD",
        "ORDERS_DATABASE_PASSWORD",
        "INVENTORY_DATABASE_PASSWORD",
        "PAYMENTS_DATABASE_PASSWORD",
        "FULFILMENT_DATABASE_PASSWORD",
        "NOTIFICATIONS_DATABASE_PASSWORD",
        "TEMPORAL_DATABASE_PASSWORD",
    },
    "mongo": {"MONGO_ROOT_PASSWORD", "PRODUCTS_DATABASE_PASSWORD"},
    "valkey-carts": {"VALKEY_CARTS_PASSWORD"},
    "valkey-bus": {BUS},
    "temporal-schema": {"TEMPORAL_DATABASE_PASSWORD"},
    "temporal": {"TEMPORAL_DATABASE_PASSWORD"},
    "migrate": {
        "AUTH_DATABASE_PASSWORD",
        "PRODUCTS_DATABASE_PASSWORD",
        "ORDERS_DATABASE_PASSWORD",
        "INVENTORY_DATABASE_PASSWORD",
        "PAYMENTS_DATABASE_PASSWORD",
        "FULFILMENT_DATABASE_PASSWORD",
        "NOTIFICATIONS_DATABASE_PASSWORD",
    },
    "psp": {PSP_KEY, PSP_WEBHOOKS},
    "gateway": {*API, "MICROMART_COOKIE_SECRET", BUS},
    "auth-api": {*API, "AUTH_DATABASE_PASSWORD", "MICROMART_AUTH_KEY_SECRET"},
    "auth-worker": {BUS, "AUTH_DATABASE_PASSWORD"},
    "products-api": {*API, "PRODUCTS_DATABASE_PASSWORD"},
    "products-worker": {BUS, SERVICE, "PRODUCTS_DATABASE_PASSWORD"},
    "orders-api": {*API, "ORDERS_DATABASE_PASSWORD", "MICROMART_ORDER_TOKEN_SECRET"},
    "orders-worker": {BUS, "ORDERS_DATABASE_PASSWORD"},
    "carts-api": {*API, "VALKEY_CARTS_PASSWORD"},
    "carts-worker": {BUS, SERVICE, "VALKEY_CARTS_PASSWORD"},
    "inventory-api": {*API, "INVENTORY_DATABASE_PASSWORD"},
    "inventory-worker": {BUS, "INVENTORY_DATABASE_PASSWORD"},
    "payments-api": {*API, "PAYMENTS_DATABASE_PASSWORD", PSP_KEY, PSP_WEBHOOKS},
    "payments-worker": {BUS, "PAYMENTS_DATABASE_PASSWORD", PSP_KEY},
    "fulfilment-api": {*API, "FULFILMENT_DATABASE_PASSWORD"},
    "fulfilment-worker": {BUS, "FULFILMENT_DATABASE_PASSWORD"},
    "notifications-api": {*API, "NOTIFICATIONS_DATABASE_PASSWORD"},
    "notifications-worker": {BUS, SERVICE, "NOTIFICATIONS_DATABASE_PASSWORD", "MICROMART_SMTP_URL"},
}

# What only its operator knows and nothing works without, and what may stay unsaid.
DECIDED = {"PUBLIC_URL"}
OPTIONAL = {
    "MAIL_FROM",
    "OIDC_PROVIDERS",
    "TRUSTED_PROXIES",
    "CORS_ORIGINS",
    "METRICS_NETWORKS",
    "DRAIN_SECONDS",
}


def test_every_variable_of_ours_is_one_that_somebody_reads() -> None:
    ours = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    provider = {str(field.alias) for field in ProviderSettings.model_fields.values()}
    given = {
        (container, variable)
        for container, told in CONTAINERS.items()
        for variable in told.environment
        if variable.startswith(PREFIX)
    }
    unknown = {(at, name) for at, name in given if name not in (ours | provider if at == "psp" else ours)}
    assert unknown == set()


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_told_the_secrets_that_it_needs_and_no_others(name: str) -> None:
    assert CONTAINERS[name].required - DECIDED == SECRETS.get(name, set())


@pytest.mark.parametrize("name", APPS)
async def test_an_api_starts_with_what_it_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = APPS[name](settings_of(name, monkeypatch))
    async with app.router.lifespan_context(app):
        pass


@pytest.mark.parametrize("name", OPENERS)
async def test_a_worker_s_service_opens_with_what_it_is_told(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with OPENERS[name](settings_of(name, monkeypatch)):
        pass


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    optional = {name for name, rest in INTERPOLATION.findall(text) if not rest.startswith(":?")}
    assert optional == OPTIONAL


def test_no_secret_is_written_down() -> None:
    secretive = re.compile(r"(PASSWORD|PWD|AUTH|SECRET|API_KEY|(DATABASE|MONGO|REDIS|SMTP)_URL)$")
    written = {
        (name, variable)
        for name, container in CONTAINERS.items()
        for variable, value in container.environment.items()
        if secretive.search(variable) and ":?" not in value
    }
    assert written == set()


def test_the_example_names_exactly_what_has_to_be_set_and_gives_none() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    given = [line for line in lines if line and not line.startswith("#")]
    assert sorted(given) == sorted(f"{name}=" for name in DECIDED.union(*SECRETS.values()))


def test_the_example_shows_how_to_set_the_rest() -> None:
    shown = re.findall(r"^# (\w+)=\S", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(OPTIONAL)


def test_what_is_left_empty_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    told = settings_of("gateway", monkeypatch)
    # As compose writes what is not in .env.
    for name in ("METRICS_NETWORKS", "TRUSTED_PROXIES", "CORS_ORIGINS", "OIDC_PROVIDERS"):
        monkeypatch.setenv(f"{PREFIX}{name}", "")
    empty = load_settings()
    assert empty.metrics_networks == Settings.model_fields["metrics_networks"].default
    assert (empty.trusted_proxies, empty.cors_origins, empty.oidc_providers) == ("", "", {})
    assert empty.public_url == told.public_url


def test_a_production_environment_is_asked_for_everywhere() -> None:
    ours = [*MODULES, "migrate"]
    assert {CONTAINERS[name].environment["MICROMART_ENVIRONMENT"] for name in ours} == {"production"}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_peer_s_address_is_where_that_peer_listens(name: str) -> None:
    given = CONTAINERS[name].environment.items()
    urls = [urlsplit(value) for variable, value in given if variable.endswith("_URL")]
    ports = PORTS | {"temporal-ui": int(CONTAINERS["temporal-ui"].environment["TEMPORAL_UI_PORT"])}
    wrong = [url for url in urls if url.scheme == "http" and ports.get(str(url.hostname)) != url.port]
    assert wrong == []


def test_the_gateway_knows_every_service(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("gateway", monkeypatch)
    known = {service.name: settings.url_of(service.name) for service in SERVICES}
    assert known == {service.name: f"http://{service.api}:{service.port}" for service in SERVICES}


@pytest.mark.parametrize("name", APPS)
def test_an_api_serves_its_health_path(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = APPS[name](settings_of(name, monkeypatch))
    assert app.url_path_for("readyz") == CONTAINERS[name].health_path
