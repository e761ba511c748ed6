"""What one `up` decides to run, and where."""

from pathlib import Path

import pytest

from contracts.topology import SERVICES, Store
from runtime.embedded.errors import PlatformError
from runtime.embedded.folder import DataFolder
from runtime.embedded.kinds import Kind
from runtime.embedded.plan import DEFAULT_PORTS, Plan, plan
from runtime.embedded.processes import Program

OUTSIDE_POSTGRES = {
    f"MICROMART_{service.name.upper()}_DATABASE_URL": f"postgresql://elsewhere/{service.name}"
    for service in SERVICES
    if service.store is Store.POSTGRES
}


def planned(folder: Path, environ: dict[str, str] | None = None, *only: str) -> Plan:
    data = DataFolder(folder)
    data.prepare()
    return plan(data, auto_ports=True, only=only, environ=OUTSIDE_POSTGRES | (environ or {}))


def test_everything_runs_servers_first_and_the_gateway_last(tmp_path: Path) -> None:
    processes = planned(tmp_path).processes

    assert [process.name for process in processes] == [
        "temporal",
        "valkey-carts",
        "valkey-bus",
        "mongo",
        "psp",
        "mail",
        *(service.api for service in SERVICES),
        *(service.worker for service in SERVICES),
        "gateway",
    ]


def test_a_server_that_runs_elsewhere_is_not_started(tmp_path: Path) -> None:
    elsewhere = planned(tmp_path, {"MICROMART_TEMPORAL_ADDRESS": "temporal.example:7233"})

    assert "temporal" not in {process.name for process in elsewhere.processes}
    assert elsewhere.environment["MICROMART_TEMPORAL_ADDRESS"] == "temporal.example:7233"


def test_mail_is_sunk_here_unless_the_user_has_a_mail_server(tmp_path: Path) -> None:
    environment = planned(tmp_path).environment
    elsewhere = planned(tmp_path, {"MICROMART_SMTP_URL": "smtp://mail.example"})

    assert environment["MICROMART_SMTP_URL"] == f"smtp://127.0.0.1:{environment['MICROMART_SMTP_PORT']}"
    assert environment["MICROMART_MAIL_FOLDER"] == str(tmp_path / "mail")
    assert elsewhere.environment["MICROMART_SMTP_URL"] == "smtp://mail.example"
    assert "mail" not in {process.name for process in elsewhere.processes}


def test_the_sandbox_provider_calls_back_through_the_gateway(tmp_path: Path) -> None:
    environment = planned(tmp_path).environment

    gateway, callback = environment["MICROMART_GATEWAY_URL"], environment["MICROMART_PSP_WEBHOOK_URL"]
    assert callback == f"{gateway}/v1/payments/webhooks/sandbox"
    assert environment["MICROMART_PSP_WEBHOOK_SECRET"]


def test_a_folder_from_before_a_process_was_there_keeps_its_ports_and_gets_a_new_one(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    data.prepare()
    data.keep_ports({"gateway": 20_500, "psp": 20_501})

    environment = planned(tmp_path, None, "mail").environment

    assert environment["MICROMART_PSP_URL"] == "http://127.0.0.1:20501"
    assert len(data.ports()) == len(DEFAULT_PORTS)


def test_what_the_user_sets_wins(tmp_path: Path) -> None:
    given = planned(tmp_path, {"MICROMART_GATEWAY_URL": "https://shop.example"})

    assert given.environment["MICROMART_GATEWAY_URL"] == "https://shop.example"
    assert given.environment["MICROMART_ENVIRONMENT"] == "development"


def test_secrets_and_ports_are_made_once(tmp_path: Path) -> None:
    assert planned(tmp_path).environment == planned(tmp_path).environment


def test_only_the_services_that_run_are_migrated(tmp_path: Path) -> None:
    assert planned(tmp_path, None, "carts-api", "inventory-worker").migrated == ("inventory",)


def test_an_unknown_process_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="no process is named nonsense"):
        planned(tmp_path, None, "nonsense")


def test_no_two_processes_share_a_default_port() -> None:
    assert len(set(DEFAULT_PORTS.values())) == len(DEFAULT_PORTS)


def test_a_program_without_its_module_is_named() -> None:
    with pytest.raises(PlatformError, match=r"shop-api cannot start, api\.shop is not usable"):
        Program("shop-api", Kind.API, "api.shop").main()
