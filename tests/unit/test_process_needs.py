"""What each process cannot do without: it says so and ends, before it asks or answers anybody."""

import asyncio
import os
import sys
from importlib import import_module

import pytest

from contracts.topology import SERVICES
from runtime.settings import PREFIX, Settings
from tests.ports import free_port
from tests.unit.deployment import CONTAINERS, FILLED_IN, INTERPOLATION, MODULES, filled_in

ENDS_WITHIN = 60.0
WORKERS = [service.worker for service in SERVICES]
OTHERS = [*(service.api for service in SERVICES), "gateway"]
TOLD = [
    (process, variable)
    for process in (*WORKERS, *OTHERS)
    for variable, value in CONTAINERS[process].environment.items()
    if ":?" in value and variable != f"{PREFIX}TEMPORAL_UI_URL"
]


def tell(process: str, environ: pytest.MonkeyPatch) -> None:
    """All that the process's container is told, and nothing else."""
    for name in Settings.model_fields:
        environ.delenv(f"{PREFIX}{name.upper()}", raising=False)
    for variable, value in CONTAINERS[process].environment.items():
        environ.setenv(variable, INTERPOLATION.sub(filled_in, value))


@pytest.mark.parametrize(("process", "variable"), TOLD)
def test_without_one_of_them_it_ends_at_once_and_names_it(
    process: str, variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(process, monkeypatch)
    monkeypatch.delenv(variable)
    module = MODULES[process] if process in WORKERS else f"{MODULES[process]}.__main__"
    with pytest.raises(SystemExit) as ended:
        import_module(module).main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"micromart: {variable} is not set, and this process cannot start without it\n"
    )


def test_of_the_provider_s_keys_payments_needs_the_one_it_uses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell("payments-worker", monkeypatch)
    monkeypatch.setenv(f"{PREFIX}PAYMENT_PROVIDER", "stripe")
    with pytest.raises(SystemExit):
        import_module("workers.payments").main()
    assert f"{PREFIX}STRIPE_API_KEY is not set" in capsys.readouterr().err


async def test_a_worker_without_secrets_does_not_wait_for_temporal_first() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    nowhere = {f"{PREFIX}TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}", f"{PREFIX}PORT": str(free_port())}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers.notifications"),
        env=kept | nowhere | {f"{PREFIX}SERVICE_SECRET": FILLED_IN},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), ENDS_WITHIN)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, out) == (2, b"")
    assert b"MICROMART_NOTIFICATIONS_DATABASE_URL is not set" in err
