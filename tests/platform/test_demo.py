"""The demo's promises: it boots, plays, verifies, leaves nothing behind, and admits what it cannot verify."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.embedded.probes import HOST
from tests.platform_process import COMMAND_SECONDS, POLL_SECONDS, READY_SECONDS, Platform, clean_environment
from tests.ports import free_port


def processes_of(data: Path) -> list[str]:
    """The command lines of all processes that were told this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(data) in command:
            found.append(command)
    return found


@pytest.fixture(scope="module")
def booted(server_folder: Path) -> subprocess.CompletedProcess[str]:
    """A demo that had to start everything, with nobody at a terminal."""
    platform = Platform(server_folder / "demo")
    run = platform.run("demo", "--exit", "--ports", "auto")
    assert not processes_of(platform.data)
    return run


def test_it_boots_verifies_every_fact_and_stops(booted: subprocess.CompletedProcess[str]) -> None:
    assert booted.returncode == 0, booted.stdout + booted.stderr
    assert re.search(r"^all \d+ facts verified$", booted.stdout, re.MULTILINE)
    assert "✗ not verified" not in booted.stdout
    assert booted.stdout.rstrip().endswith("MicroMart is down")


@pytest.mark.parametrize(
    "line",
    [
        r"\+\d+ ms +\d+ ms  ✓ inventory\.reserve +1 +queue inventory",
        r"\+\d+ ms +\d+ ms  ✓ payments\.authorize +1 +queue payments",
        r"\+\d+ ms +✓ orders\.confirm +1 +inside the orders worker",
        r"\+\d+ ms +\d+ ms  ✗ payments\.authorize +1 +queue payments, payments\.declined",
        r"\+\d+ ms +\d+ ms  ✓ inventory\.release +1 +queue inventory",
        r"\+\d+ ms +\d+ ms  ✓ payments\.authorize +2 +queue payments \(attempt 1: .+\)",
        r"✓ 201 confirmed after \d+ ms",
        r"✓ 402 payments\.declined after \d+ ms",
        r"✓ the reservation was seen coming back: (\d+) → \d+ → \1",
        r"\+0 ms +\+\d+ ms  · order\.confirmed +carts, fulfilment, notifications",
        r"\+\d+ ms +\+\d+ ms  · carts\.cart_settled",
        r"\+\d+ ms +\+\d+ ms  · fulfilment\.opened +orders",
        r"\+\d+ ms +\+\d+ ms  · payments\.captured +orders",
        r"\+\d+ ms +\+\d+ ms  · payments\.provider_reported +orders",
        r"✓ Temporal runs fulfilment-\w+",
        r"\+\d+ ms +· answered 202 +the buyer has to act",
        r"✓ the checkout went on by itself: confirmed",
        r"✓ the order: completed, payment paid, parcel delivered",
        r"✓ it has left the house: \S+ \d+ → \d+, \S+ \d+ → \d+ on hand",
        r"✓ the order: cancelled, payment voided, parcel stopped",
        r"✓ the stock is back: \S+ \d+ → \d+, \S+ \d+ → \d+ available",
        r"✓ the provider's own books: [\d.]+ EUR voided",
        r"✓ the order: shipped, payment partially_refunded, parcel shipped",
        r"✓ the provider's own books: [\d.]+ EUR captured, [\d.]+ EUR refunded",
        r"✓ (notifications\.remind_of_cart) waits in Temporal as reaction-\1-demo-\w+",
        r"micromart reactions .+ this version cannot read the event: lines: Field required",
        r"✓ left out by that signal: nothing waits any more",
        r"✓ Ada's token, made an admin's with alg none: 401 auth\.token_invalid",
        r"✓ Ada sends an admin's X-Micromart-Identity, rightly signed: she is Ada still",
        r"✓ a stranger's browser at /temporal: 303 to /temporal/sign-in",
        r"✓ Mallory, a customer too, at Ada's order: 404 orders\.not_found",
        r'✓ RateLimit-Policy "write";q=\d+;w=60, RateLimit r=\d+ → r=\d+ → r=\d+',
        r"✓ keys rotate: [\w-]{43} is published",
        r"✓ the phone's access token: 401 auth\.session_ended after \d+ ms",
        r"✓ the laptop has to sign in again: 401 auth\.session_ended after \d+ ms",
        r"✓ the old password: 401 auth\.bad_credentials",
        r"✓ beyond its scope, a refund: 403 auth\.forbidden",
        r"✓ it opens nothing any more: 401 auth\.api_key_invalid after \d+ ms",
        r"✓ who shipped the first parcel, and who brought it: grace-\w+@micromart\.example",
        r"Grace +202  POST /v1/fulfilments/\w+/ship",
        r"key:\w+ +200  POST /v1/inventory/\S+/adjustments",
        r"✓ Grace's is [\w-]{43}'s, and opens as before",
        r"✓ all \d+ letters to ada-\w+@micromart\.example have arrived, each once",
        r"API docs +http://127\.0\.0\.1:\d+/docs",
        r"confirmed +http://127\.0\.0\.1:\d+/temporal/namespaces/default/workflows/checkout-\w+",
        r"rejected +http://127\.0\.0\.1:\d+/temporal/namespaces/default/workflows/checkout-\w+",
        r"parcel +http://127\.0\.0\.1:\d+/temporal/namespaces/default/workflows/fulfilment-\w+",
        r"cancelled +http://127\.0\.0\.1:\d+/temporal/namespaces/default/workflows/cancel-\w+",
        r"refunded +http://127\.0\.0\.1:\d+/temporal/namespaces/default/workflows/refund-\w+",
        r"temporal workflow show -w checkout-\w+ --address 127\.0\.0\.1:\d+",
        r"temporal workflow list --query \"CheckoutState='rejected'\" --address 127\.0\.0\.1:\d+",
        r"micromart mail --to ada-\w+@micromart\.example --data \S+",
        r"micromart staff-actions --data \S+",
        r"micromart logs orders --data \S+",
    ],
)
def test_it_tells(booted: subprocess.CompletedProcess[str], line: str) -> None:
    assert re.search(line, booted.stdout), booted.stdout


def test_a_pipe_gets_no_control_codes(booted: subprocess.CompletedProcess[str]) -> None:
    assert "\x1b" not in booted.stdout + booted.stderr


def test_what_cannot_be_verified_is_said_and_is_the_exit_code(server_folder: Path) -> None:
    platform = Platform(server_folder / "demo-unpaid")
    nobody = f"http://{HOST}:{free_port()}"
    settings = {"MICROMART_PSP_URL": nobody, "MICROMART_CHECKOUT_WAIT_SECONDS": "1"}

    run = subprocess.run(
        platform.command("demo", "--exit", "--ports", "auto"),
        env=clean_environment() | settings,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )

    assert run.returncode == 1, run.stdout + run.stderr
    assert re.search(r"✗ not verified: .*found 202, payments\.authorize at attempt", run.stdout), run.stdout
    assert "1 not verified" in run.stdout
    assert not processes_of(platform.data)


@contextmanager
def staying(platform: Platform, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A demo without --exit, once it has told that it stays up."""
    with output.open("wb") as file:
        demo = subprocess.Popen(
            platform.command("demo", "--ports", "auto"),
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + COMMAND_SECONDS
        while "stays up" not in (said := output.read_text()):
            assert demo.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(POLL_SECONDS)
        yield demo
    finally:
        demo.terminate()
        demo.wait(READY_SECONDS)


def test_without_exit_it_stays_up_until_ctrl_c(server_folder: Path) -> None:
    platform = Platform(server_folder / "demo-stays")
    output = server_folder / "demo-stays.log"

    with staying(platform, output) as demo:
        platform.wait_ready()
        demo.send_signal(signal.SIGINT)
        code = demo.wait(READY_SECONDS)

    assert code == 0, output.read_text()
    assert "Traceback" not in output.read_text()
    assert not processes_of(platform.data)
