"""Which process is told what: every setting, and the few that may see each secret."""

from collections.abc import Mapping

from contracts.topology import SERVICES, Service, Store
from runtime.embedded.kinds import Kind
from runtime.embedded.processes import Program
from runtime.settings import PREFIX

SECRETS = ("identity_secret", "order_token_secret", "auth_key_secret", "psp_api_key")

# Beyond its own store and the secret with which our processes vouch to one another.
_SECRETS_OF_API = {"orders": {"order_token_secret"}, "auth": {"auth_key_secret"}, "payments": {"psp_api_key"}}
_SECRETS_OF_WORKER = {"payments": {"psp_api_key"}}
_STORE_SETTING = {Store.POSTGRES: "database_url", Store.MONGO: "mongo_url", Store.VALKEY: "redis_url"}


def store_setting(service: Service) -> str:
    """The name of the setting that says where a service stores."""
    return f"{service.name}_{_STORE_SETTING[service.store]}"


_PRIVATE = frozenset(SECRETS) | {store_setting(service) for service in SERVICES}


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
    """The secrets and stores that one process needs."""
    service = program.service
    if service is None:
        return frozenset({"psp_api_key" if program.kind is Kind.SANDBOX else "identity_secret"})
    secrets = _SECRETS_OF_API if program.kind is Kind.API else _SECRETS_OF_WORKER
    return frozenset({"identity_secret", store_setting(service), *secrets.get(service.name, ())})


def as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    return {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
