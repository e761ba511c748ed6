"""Every setting, each an environment variable MICROMART_<NAME>: the same code runs embedded or outside."""

import sys
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Annotated, NoReturn

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from contracts.topology import GATEWAY_PORT, PSP_PORT, SERVICES, Service, Store

PREFIX = "MICROMART_"
# Ours to make; what a provider gives us has the length that it has.
SECRETS = (
    "identity_secret",
    "service_secret",
    "cookie_secret",
    "order_token_secret",
    "auth_key_secret",
    "psp_api_key",
    "psp_webhook_secret",
)
SHORTEST_SECRET = 32
_STORE_SETTING = {Store.POSTGRES: "database_url", Store.MONGO: "mongo_url", Store.VALKEY: "redis_url"}
# Plain HTTP is for a provider on this machine: what comes over it decides who somebody is.
OIDC_URL = r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])[^\s#]+$"
OidcProviderName = Annotated[str, Field(pattern="^[a-z0-9-]{1,32}$")]


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class OidcProvider(BaseModel):
    """An OpenID provider that customers may sign in with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(pattern=OIDC_URL, max_length=255)
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    label: str | None = None


class MissingSetting(Exception):
    """A process needs a setting that nobody gave, or not as it has to be: it must not start."""


class Settings(BaseSettings):
    """What a process is told from outside. Secrets have no default anywhere; embedded mode makes its own.

    An empty variable counts as none.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)

    environment: Environment = Environment.PRODUCTION
    host: str = "127.0.0.1"
    port: int | None = Field(default=None, description="where this process listens; else its default port")
    log_format: str = Field(default="json", pattern="^(json|console)$")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    identity_secret: SecretStr | None = Field(
        default=None, description="signs the gateway's word to services"
    )
    service_secret: SecretStr | None = Field(
        default=None, description="with which our own processes prove themselves to one another"
    )
    cookie_secret: SecretStr | None = Field(
        default=None, description="signs the gateway's cookie for the Temporal UI"
    )
    order_token_secret: SecretStr | None = Field(default=None, description="makes a guest's order tokens")
    auth_key_secret: SecretStr | None = Field(
        default=None, description="encrypts the token-signing keys at rest"
    )
    psp_api_key: SecretStr | None = Field(default=None, description="our credential at the payment provider")
    psp_webhook_secret: SecretStr | None = Field(
        default=None, description="proves that a webhook comes from the payment provider"
    )

    auth_database_url: SecretStr | None = None
    orders_database_url: SecretStr | None = None
    inventory_database_url: SecretStr | None = None
    payments_database_url: SecretStr | None = None
    fulfilment_database_url: SecretStr | None = None
    notifications_database_url: SecretStr | None = None
    products_mongo_url: SecretStr | None = None
    products_mongo_database: str = "products"
    carts_redis_url: SecretStr | None = None
    bus_redis_url: SecretStr | None = None
    database_pool_size: int = Field(default=10, ge=1, le=200)

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_tls: bool = False
    temporal_api_key: SecretStr | None = None
    temporal_ui_url: str = "http://127.0.0.1:8233/temporal"

    gateway_url: str = f"http://127.0.0.1:{GATEWAY_PORT}"
    auth_url: str = "http://127.0.0.1:3001"
    products_url: str = "http://127.0.0.1:3002"
    orders_url: str = "http://127.0.0.1:3003"
    carts_url: str = "http://127.0.0.1:3004"
    inventory_url: str = "http://127.0.0.1:3005"
    payments_url: str = "http://127.0.0.1:3006"
    fulfilment_url: str = "http://127.0.0.1:3007"
    notifications_url: str = "http://127.0.0.1:3008"
    psp_url: str = f"http://127.0.0.1:{PSP_PORT}"

    payment_provider: str = Field(default="sandbox", pattern="^(sandbox|stripe)$")
    stripe_api_key: SecretStr | None = None
    stripe_webhook_secret: SecretStr | None = None
    stripe_api_base: str = "https://api.stripe.com"
    stripe_return_url: str | None = Field(
        default=None, description="where a bank's page sends its buyer; unset, such cards are declined"
    )
    smtp_url: SecretStr | None = Field(
        default=None, description="smtp://[user:password@]host:port, or smtps://"
    )
    mail_from: str = "MicroMart <shop@micromart.example>"

    public_url: str = Field(
        default=f"http://127.0.0.1:{GATEWAY_PORT}",
        description="where people reach the shop: links in mails begin so",
    )
    access_token_seconds: int = Field(default=900, ge=30, le=8 * 3_600)
    refresh_token_seconds: int = Field(default=30 * 86_400, description="then an unused session has ended")
    session_seconds: int = Field(default=90 * 86_400, description="then a session has ended, however busy")
    sessions_per_account: int = Field(
        default=100, ge=1, description="open at once; the next sign-in ends the one unused for longest"
    )
    refresh_grace_seconds: float = Field(
        default=5.0, ge=0, description="so long a spent refresh token gets the answer that it got first"
    )
    password_reset_seconds: int = Field(default=3_600, ge=60, description="how long a mailed link opens")
    email_verification_seconds: int = Field(default=7 * 86_400, ge=60)
    sign_in_failures_per_account: int = Field(
        default=10, ge=1, description="in 15 minutes, then it is locked"
    )
    sign_in_failures_per_day: int = Field(
        default=100, ge=1, description="for an account, then it is locked for what is left of the day"
    )
    sign_in_failures_per_address: int = Field(
        default=100, ge=1, description="in 15 minutes, then it is locked"
    )
    oidc_providers: dict[OidcProviderName, OidcProvider] = Field(
        default_factory=dict, description="JSON, by name: who else vouches for a customer"
    )

    max_body_bytes: int = Field(default=1_048_576, ge=1_024)
    limit_sign_in: str = Field(default="30/minute", description="attempts from one address")
    limit_read: str = Field(default="1200/minute", description="of one caller: a user, a key or an address")
    limit_write: str = Field(default="300/minute")
    limit_checkout: str = Field(default="60/minute")
    limit_webhook: str = Field(default="6000/minute")
    limit_temporal: str = Field(default="3000/minute", description="of one sign-in at the Temporal UI")
    max_connections: int = Field(
        default=10_000, ge=1, description="open at one gateway at once; what comes beyond is refused"
    )
    max_connections_per_address: int = Field(
        default=500, ge=1, description="of them from one address that is no trusted proxy's"
    )
    gateway_processes: int = Field(
        default=2, ge=1, description="how many share the limits while the Valkey that counts them is away"
    )
    upstream_concurrency: int = Field(
        default=1024, ge=1, description="requests at one service at once; what comes beyond is shed"
    )
    drain_seconds: float = Field(
        default=0.0, ge=0, description="on SIGTERM: how long to take requests still, while others take over"
    )
    trusted_proxies: str = Field(
        default="", description="networks whose X-Forwarded-For is believed, separated by commas"
    )
    metrics_networks: str = Field(
        default="127.0.0.0/8,::1/128", description="who may read the gateway's /metrics"
    )
    cors_origins: str = Field(default="", description="web origins that may call from a browser, by commas")
    checkout_wait_seconds: float = Field(default=10.0, gt=0, description="how long a checkout's client waits")
    checkout_time_limit_seconds: float = Field(default=900.0, gt=0, description="then the checkout is undone")
    quote_timeout_seconds: float = Field(default=0.5, gt=0, description="then the cart's own prices are used")
    webhook_tolerance_seconds: float = Field(
        default=300.0, gt=0, le=86_400, description="how old a webhook's signature may be"
    )
    cart_abandoned_seconds: float = Field(
        default=4 * 3_600.0, gt=0, description="then a customer's cart counts as abandoned"
    )
    shipment_reminder_seconds: float = Field(
        default=86_400.0, gt=0, description="then the staff is reminded of a parcel that sits, and again"
    )
    provider_timeout_seconds: float = Field(default=6.0, gt=0)
    reconcile_seconds: float = Field(default=5.0, gt=0)
    events_enabled: bool = Field(
        default=True, description="whether workers relay and hear events; off only to measure what they cost"
    )

    def secret(self, name: str) -> str:
        """The value of a setting that this process cannot do without."""
        value = getattr(self, name)
        if value is None or not value.get_secret_value():
            raise _missing(name)
        return str(value.get_secret_value())

    def require(self, *names: str) -> None:
        """MissingSetting unless each of them was given; in development its default will do."""
        for name in names:
            if name not in self.model_fields_set and (getattr(self, name) is None or not self.is_development):
                raise _missing(name)

    def database_url(self, service: str) -> str:
        return self.secret(f"{service}_database_url")

    def url_of(self, service: str) -> str:
        return self.urls_of(service)[0]

    def urls_of(self, service: str) -> tuple[str, ...]:
        """Where each instance of a service is; the setting separates them by commas."""
        return tuple(url.strip().rstrip("/") for url in str(getattr(self, f"{service}_url")).split(","))

    @property
    def is_development(self) -> bool:
        return self.environment is Environment.DEVELOPMENT


# The names of the settings that a process cannot do without.
Needs = Callable[[Settings], Iterable[str]]


def store_setting(service: Service) -> str:
    """The name of the setting that says where a service stores."""
    return f"{service.name}_{_STORE_SETTING[service.store]}"


STORE_SETTINGS = {service.name: store_setting(service) for service in SERVICES}
DEFAULT_PORTS = {service.name: service.port for service in SERVICES} | {
    "gateway": GATEWAY_PORT,
    "psp": PSP_PORT,
}


def load_settings() -> Settings:
    """The settings as the environment has them now; a wrong or weak one is named, without its value."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = f"{PREFIX}{'_'.join(str(part) for part in first['loc']).upper()}"
        raise MissingSetting(f"{name} is not usable: {first['msg']}") from None
    except SettingsError as error:
        # It names the setting, and does not quote it.
        raise MissingSetting(f"a setting is not JSON: {error}") from None
    if not settings.is_development:
        refuse_weak({name: getattr(settings, name) for name in settings.model_fields_set})
    return settings


def refuse_weak(told: Mapping[str, object]) -> None:
    """MissingSetting for what does to try things out, and outside development lets others in.

    What a process has not been told is not looked at: it may do without.
    """
    for name in SECRETS:
        secret = told.get(name)
        if isinstance(secret, str | SecretStr) and len(secret) < SHORTEST_SECRET:
            raise MissingSetting(
                f"{PREFIX}{name.upper()} has fewer than {SHORTEST_SECRET} characters: "
                "make a secret with `openssl rand -hex 32`"
            )
    if not str(told.get("public_url", "https://")).startswith("https://"):
        raise MissingSetting(f"{PREFIX}PUBLIC_URL does not begin with https://: outside development it must")


def _missing(name: str) -> MissingSetting:
    return MissingSetting(f"{PREFIX}{name.upper()} is not set, and this process cannot start without it")


def run_process(start: Callable[[Settings], None]) -> None:
    """Run a process's main part with its settings, or end with one clear line and exit code 2."""
    try:
        start(load_settings())
    except MissingSetting as error:
        refuse_to_start(str(error))


def refuse_to_start(reason: str) -> NoReturn:
    sys.stderr.write(f"micromart: {reason}\n")
    sys.exit(2)
