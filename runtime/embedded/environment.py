"""Which process is told what: every setting, and the few that may see each secret."""

from collections.abc import Mapping

from contracts.topology import SERVICES
from runtime.embedded.kinds import Kind
from runtime.embedded.processes import Program
from runtime.settings import PREFIX, store_setting

# What only some are told, beyond their own store and what their kind is told.
_TOLD_TO = {
    "psp": {"psp_ledger", "psp_api_key", "psp_webhook_url", "psp_webhook_secret"},
    "mail": {"mail_url", "mail_folder", "smtp_port"},
    "auth-api": {"auth_key_secret", "oidc_providers"},
    "orders-api": {"order_token_secret"},
    "payments-api": {"psp_api_key", "psp_webhook_secret", "stripe_api_key", "stripe_webhook_secret"},
    "payments-worker": {"psp_api_key", "stripe_api_key"},
    # A worker needs the secret with which our processes prove themselves only where it asks another.
    "carts-worker": {"service_secret"},
    "products-worker": {"service_secret"},
    "notifications-worker": {"service_secret", "smtp_url"},
}
_TOLD_TO_KIND = {
    Kind.SANDBOX: frozenset[str](),
    Kind.API: frozenset({"identity_secret", "service_secret"}),
    Kind.WORKER: frozenset({"bus_redis_url"}),
    Kind.GATEWAY: frozenset({"identity_secret", "service_secret", "cookie_secret", "bus_redis_url"}),
}

_PRIVATE = frozenset(map(store_setting, SERVICES)).union(*_TOLD_TO.values(), *_TOLD_TO_KIND.values())


def given_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings that the user has set, by name; each wins over ours."""
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        # One port cannot be every process's.
        if name.startswith(PREFIX) and name != f"{PREFIX}PORT" and value
    }


def settings_of(program: Program, port: int, platform: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of one process: what all know, and the private settings that it needs."""
    hidden = _PRIVATE - private_settings(program)
    known = {name: value for name, value in platform.items() if name not in hidden}
    return as_environment({"log_format": "json"} | known | {"port": str(port)})


def private_settings(program: Program) -> frozenset[str]:
    """What one process is told in confidence: its own store, and the secrets that it needs."""
    store = {store_setting(program.service)} if program.service is not None else set[str]()
    return _TOLD_TO_KIND[program.kind].union(_TOLD_TO.get(program.name, ()), store)


def as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    return {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
