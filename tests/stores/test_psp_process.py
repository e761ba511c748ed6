"""The provider's process: stopped and killed by its own pid, refused a start in one line."""

import json
from http import HTTPMethod
from pathlib import Path

import pytest

from tests.stores.psp_calls import PATH, new_key, order, running, spawn


async def test_charges_and_replays_survive_a_kill(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    keys = {token: new_key() for token in ("tok_ok", "tok_declined", "tok_timeout", "tok_error_once")}
    async with running(ledger, slow="600") as psp:
        first = await psp.authorize(keys["tok_ok"])
        path = f"{PATH}/{first.json['id']}"
        captured = await psp.post(f"{path}/capture", "capture", {})
        declined = await psp.authorize(keys["tok_declined"], "tok_declined")
        assert (await psp.authorize(keys["tok_error_once"], "tok_error_once")).status == 500
        async with psp.unanswered(keys["tok_timeout"], "tok_timeout"), psp.unanswered("slow", "tok_slow"):
            while not await psp.found(keys["tok_timeout"]):
                pass
            assert (await psp.authorize("slow", "tok_slow")).code == "idempotency_in_flight"
            entries = await psp.ledger()
            await psp.kill()

    with ledger.open("ab") as file:
        file.write(b'{"seq": 99, "torn')

    async with running(ledger) as psp:
        assert await psp.ledger() == entries
        assert (await psp.get(path)).body == captured.body
        for key, token, before in [("tok_ok", "tok_ok", first), ("tok_declined", "tok_declined", declined)]:
            again = await psp.authorize(keys[key], token)
            assert (again.status, again.body, again.replayed) == (before.status, before.body, True)
        again = await psp.post(f"{path}/capture", "capture", {})
        assert (again.status, again.body, again.replayed) == (200, captured.body, True)
        assert (await psp.authorize(keys["tok_timeout"], "tok_timeout")).replayed
        for key, token in [(keys["tok_error_once"], "tok_error_once"), ("slow", "tok_slow")]:
            late = await psp.authorize(key, token)
            assert (late.status, late.replayed) == (201, False)


async def test_a_sigterm_ends_it_cleanly_with_requests_hanging(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with running(ledger, slow="600") as psp:
        async with psp.unanswered("lost", "tok_timeout"), psp.unanswered("slow", "tok_slow"):
            while not await psp.found("lost"):
                pass
            assert (await psp.authorize("slow", "tok_slow")).code == "idempotency_in_flight"
            assert (await psp.authorize("slow", "tok_slow", amount=1)).code == "idempotency_mismatch"
            psp.process.terminate()
            _, said = await psp.process.communicate()
        assert (psp.process.returncode, said.decode()) == (0, "")
    keys = [json.loads(line)["key"] for line in ledger.read_text().splitlines()]
    assert keys == ["lost", "slow"], "what was slow came to its end"


async def test_development_accepts_any_caller(tmp_path: Path) -> None:
    async with running(tmp_path / "ledger.jsonl", MICROMART_ENVIRONMENT="development") as psp:
        headers = {"Authorization": "", "Idempotency-Key": "k"}
        answer = await psp.call(HTTPMethod.POST, PATH, headers=headers, json=order())
        assert answer.status == 201


@pytest.mark.parametrize(
    ("environment", "lines", "said"),
    [
        ({"MICROMART_ENVIRONMENT": "production"}, "", "MICROMART_PSP_API_KEY is required"),
        ({"MICROMART_PSP_API_KEY": "k", "MICROMART_PORT": "many"}, "", "MICROMART_PORT"),
        (
            {"MICROMART_PSP_API_KEY": "k", "MICROMART_PSP_WEBHOOK_URL": "http://shop"},
            "",
            "MICROMART_PSP_WEBHOOK_SECRET is required",
        ),
        ({"MICROMART_PSP_API_KEY": "k"}, "nonsense\n{}\n", "line 1 is corrupt"),
    ],
)
async def test_a_start_is_refused_in_one_line(
    tmp_path: Path, environment: dict[str, str], lines: str, said: str
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(lines)
    process = await spawn(ledger, **environment)
    _, errors = await process.communicate()
    assert process.returncode == 2
    [line] = errors.decode().splitlines()
    assert said in line
