"""Every store brought up to date, each by its own service's migrate."""

from collections.abc import Iterable
from importlib import import_module

from contracts.topology import SERVICES, Store
from runtime.embedded.errors import PlatformError
from runtime.settings import Settings

# Carts keep no schema.
MIGRATED = tuple(service.name for service in SERVICES if service.store is not Store.VALKEY)


async def migrate(services: Iterable[str], settings: Settings) -> dict[str, list[str]]:
    """Migrate the stores of these services; answers what was applied to each. Safe to repeat."""
    return {service: await _migrate_one(service, settings) for service in services}


async def _migrate_one(service: str, settings: Settings) -> list[str]:
    module = f"services.{service}.factory"
    try:
        factory = import_module(module)
    except ImportError as error:
        raise PlatformError(f"{service} cannot be migrated, {module} is not usable: {error}") from error
    applied: list[str] = await factory.migrate(settings)
    return applied
