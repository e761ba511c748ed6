"""Which process of the embedded platform is told what."""

from runtime.embedded.environment import given_settings, settings_of
from runtime.embedded.processes import Program, programs

PLATFORM = {
    "environment": "development",
    "identity_secret": "identity",
    "service_secret": "service",
    "cookie_secret": "cookie",
    "order_token_secret": "tokens",
    "auth_key_secret": "keys",
    "psp_api_key": "psp",
    "psp_webhook_secret": "webhooks",
    "psp_webhook_url": "http://gateway/webhooks",
    "psp_ledger": "ledger.jsonl",
    "stripe_api_key": "stripe",
    "stripe_webhook_secret": "stripe webhooks",
    "auth_database_url": "postgresql://auth",
    "orders_database_url": "postgresql://orders",
    "inventory_database_url": "postgresql://inventory",
    "payments_database_url": "postgresql://payments",
    "fulfilment_database_url": "postgresql://fulfilment",
    "notifications_database_url": "postgresql://notifications",
    "products_mongo_url": "mongodb://products",
    "carts_redis_url": "redis://carts",
    "bus_redis_url": "redis://bus",
    "smtp_url": "smtp://user:password@mail",
    "smtp_port": "3025",
    "mail_folder": "mail",
    "mail_url": "http://mail",
    "temporal_address": "127.0.0.1:7233",
}
API = {"identity_secret", "service_secret"}
PRIVATE = {name for name in PLATFORM if name not in ("environment", "temporal_address")}


def program(name: str) -> Program:
    return next(program for program in programs() if program.name == name)


def seen_by(name: str) -> set[str]:
    """The private settings that a process is given."""
    environment = settings_of(program(name), 1, PLATFORM)
    return {setting for setting in PRIVATE if f"MICROMART_{setting.upper()}" in environment}


def test_every_process_sees_its_own_store_and_the_secrets_it_needs_and_no_other() -> None:
    assert {program.name: seen_by(program.name) for program in programs()} == {
        "psp": {"psp_api_key", "psp_webhook_secret", "psp_webhook_url", "psp_ledger"},
        "mail": {"smtp_port", "mail_folder", "mail_url"},
        "auth-api": {*API, "auth_database_url", "auth_key_secret"},
        "products-api": {*API, "products_mongo_url"},
        "orders-api": {*API, "orders_database_url", "order_token_secret"},
        "carts-api": {*API, "carts_redis_url"},
        "inventory-api": {*API, "inventory_database_url"},
        "payments-api": {
            *API,
            "payments_database_url",
            "psp_api_key",
            "psp_webhook_secret",
            "stripe_api_key",
            "stripe_webhook_secret",
        },
        "fulfilment-api": {*API, "fulfilment_database_url"},
        "notifications-api": {*API, "notifications_database_url"},
        "auth-worker": {"auth_database_url", "bus_redis_url"},
        "products-worker": {"service_secret", "products_mongo_url", "bus_redis_url"},
        "orders-worker": {"orders_database_url", "bus_redis_url"},
        "carts-worker": {"service_secret", "carts_redis_url", "bus_redis_url"},
        "inventory-worker": {"inventory_database_url", "bus_redis_url"},
        "payments-worker": {"payments_database_url", "psp_api_key", "stripe_api_key", "bus_redis_url"},
        "fulfilment-worker": {"fulfilment_database_url", "bus_redis_url"},
        "notifications-worker": {
            "service_secret",
            "notifications_database_url",
            "bus_redis_url",
            "smtp_url",
        },
        "gateway": {*API, "cookie_secret", "bus_redis_url"},
    }


def test_every_process_has_a_port_of_its_own_and_writes_json() -> None:
    environment = settings_of(program("orders-api"), 3003, PLATFORM)

    assert environment["MICROMART_PORT"] == "3003"
    assert environment["MICROMART_LOG_FORMAT"] == "json"
    assert environment["MICROMART_TEMPORAL_ADDRESS"] == "127.0.0.1:7233"


def test_what_the_user_has_set_is_a_setting_but_for_a_port_and_an_empty_value() -> None:
    environ = {"MICROMART_LOG_LEVEL": "DEBUG", "MICROMART_PORT": "1", "MICROMART_HOST": "", "HOME": "/"}

    assert given_settings(environ) == {"log_level": "DEBUG"}
