"""The real process over HTTP, stopped and killed by its own pid."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPMethod
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

ROOT = Path(__file__).parents[2]
API_KEY = "sandbox-key"
PATH = "/v1/authorizations"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"


@dataclass(frozen=True)
class Psp:
    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession
    host: str
    port: int

    async def call(self, method: HTTPMethod, path: str, **options: Any) -> Answer:
        async with self.session.request(method, path, **options) as response:
            return Answer(response.status, await response.read(), response.headers)

    async def get(self, path: str, **query: str) -> Answer:
        return await self.call(HTTPMethod.GET, path, params=query)

    async def post(self, path: str, key: str, body: object) -> Answer:
        return await self.call(HTTPMethod.POST, path, headers={"Idempotency-Key": key}, json=body)

    async def authorize(self, key: str, token: str = "tok_ok", **changes: object) -> Answer:
        return await self.post(PATH, key, order(token) | changes)

    async def authorized(self) -> str:
        answer = await self.authorize(new_key())
        assert answer.status == 201
        return f"{PATH}/{answer.json['id']}"

    async def found(self, key: str) -> list[Any]:
        return list((await self.get(PATH, idempotency_key=key)).json["items"])

    async def ledger(self, **of: str) -> list[Any]:
        items = (await self.get("/v1/ledger")).json["items"]
        return [item for item in items if of.items() <= item.items()]

    @asynccontextmanager
    async def unanswered(self, key: str, token: str) -> AsyncIterator[None]:
        """A request has been sent and nobody reads its answer; the caller hangs up at the end."""
        body = json.dumps(order(token)).encode()
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: psp\r\nAuthorization: Bearer {API_KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Idempotency-Key: {key}\r\n\r\n"
        )
        _, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(head.encode() + body)
            await writer.drain()
            yield
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def settled(self, key: str, token: str) -> Answer:
        """Ask again, as a caller would, until the key is no longer in flight."""
        while (answer := await self.authorize(key, token)).status == 409:
            assert (answer.code, answer.headers["Retry-After"]) == ("idempotency_in_flight", "1")
        return answer

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


def order(token: str = "tok_ok") -> dict[str, object]:
    return {"amount": 1000, "currency": "EUR", "token": token, "reference": "order-1"}


def new_key() -> str:
    return uuid4().hex


async def spawn(ledger: Path, **environment: str) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MICROMART_")}
    settings = {"MICROMART_PORT": "0", "MICROMART_PSP_LEDGER": str(ledger)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox.psp",
        cwd=ROOT,
        env=inherited | settings | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(ledger: Path, slow: str = "0.5", **environment: str) -> AsyncIterator[Psp]:
    keyed = {"MICROMART_PSP_API_KEY": API_KEY, "MICROMART_PSP_SLOW_SECONDS": slow}
    process = await spawn(ledger, **(environment or keyed))
    try:
        assert process.stdout is not None
        listening = re.search(r"http://([\d.]+):(\d+)", (await process.stdout.readline()).decode())
        assert listening, (await process.communicate())[1].decode()
        host, port = listening[1], int(listening[2])
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with aiohttp.ClientSession(f"http://{host}:{port}", headers=headers) as session:
            yield Psp(process, session, host, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture(scope="module")
async def psp(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Psp]:
    async with running(tmp_path_factory.mktemp("psp") / "ledger.jsonl") as psp:
        yield psp


async def test_an_authorization_is_captured_and_refunded(psp: Psp) -> None:
    opened = await psp.authorize(new_key())
    assert opened.status == 201
    assert re.fullmatch(r"auth_[0-9a-f]+", opened.json["id"])
    assert opened.json | {"id": "", "created_at": ""} == {
        "id": "",
        "status": "authorized",
        "amount": 1000,
        "currency": "EUR",
        "captured": 0,
        "refunded": 0,
        "reference": "order-1",
        "created_at": "",
    }
    path = f"{PATH}/{opened.json['id']}"
    assert (await psp.get(path)).body == opened.body

    captured = await psp.post(f"{path}/capture", new_key(), {"amount": 700})
    assert (captured.status, captured.json["status"], captured.json["captured"]) == (200, "captured", 700)
    assert (await psp.post(f"{path}/capture", new_key(), {})).code == "wrong_state"
    assert (await psp.post(f"{path}/void", new_key(), {})).code == "wrong_state"

    too_much = await psp.post(f"{path}/refund", new_key(), {"amount": 701})
    assert (too_much.status, too_much.code) == (409, "amount_too_large")
    refunded = await psp.post(f"{path}/refund", new_key(), {})
    assert (refunded.status, refunded.json["refunded"]) == (200, 700)
    assert (await psp.get(path)).body == refunded.body


async def test_a_void_twice_is_recorded_once(psp: Psp) -> None:
    path = await psp.authorized()
    answers = [await psp.post(f"{path}/void", new_key(), {}) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].body == answers[1].body
    assert not answers[1].replayed
    assert len(await psp.ledger(kind="voided", authorization_id=answers[0].json["id"])) == 1
    assert (await psp.post(f"{path}/capture", new_key(), {})).code == "wrong_state"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("tok_declined", "declined"),
        ("tok_insufficient_funds", "insufficient_funds"),
        ("tok_action_required", "authentication_required"),
    ],
)
async def test_a_decline_is_stored_and_can_be_looked_up(psp: Psp, token: str, code: str) -> None:
    key = new_key()
    declined = await psp.authorize(key, token)
    assert (declined.status, declined.code, declined.replayed) == (402, code, False)
    again = await psp.authorize(key, token)
    assert (again.status, again.body, again.replayed) == (402, declined.body, True)
    [item] = await psp.found(key)
    assert (item["status"], item["decline_code"]) == ("declined", code)


async def test_look_ups_by_key_and_reference(psp: Psp) -> None:
    key, reference = new_key(), new_key()
    one = (await psp.authorize(key, reference=reference)).json
    two = (await psp.authorize(new_key(), reference=reference)).json
    assert await psp.found(key) == [one]
    assert await psp.found("never used") == []
    assert (await psp.get(PATH, reference=reference)).json["items"] == [one, two]
    assert (await psp.get(PATH, reference=reference, idempotency_key=key)).json["items"] == [one]
    assert (await psp.get(PATH, reference="other", idempotency_key=key)).json["items"] == []
    everything = (await psp.get(PATH)).json["items"]
    assert [item for item in everything if item in (one, two)] == [one, two]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        order() | {"extra": 1},
        order() | {"amount": 0},
        order() | {"amount": "1000"},
        order() | {"amount": 10.0},
        order() | {"amount": True},
        order() | {"currency": "eur"},
        order() | {"reference": "\ud800"},
    ],
)
async def test_an_invalid_request_is_refused_and_not_stored(psp: Psp, body: object) -> None:
    key = new_key()
    refused = await psp.post(PATH, key, body)
    assert (refused.status, refused.code) == (422, "invalid_request")
    assert (await psp.authorize(key)).status == 201


async def test_a_body_that_is_not_json_is_refused(psp: Psp) -> None:
    headers = {"Idempotency-Key": new_key(), "Content-Type": "application/json"}
    for data in ["{", '{"amount": ' + "9" * 5000 + "}"]:
        refused = await psp.call(HTTPMethod.POST, PATH, headers=headers, data=data)
        assert (refused.status, refused.code) == (422, "invalid_request")


async def test_what_is_unknown_is_refused_and_not_stored(psp: Psp) -> None:
    key = new_key()
    unknown = await psp.authorize(key, "tok_nonsense")
    assert (unknown.status, unknown.code) == (400, "unknown_token")
    for verb in ("capture", "void", "refund"):
        missing = await psp.post(f"{PATH}/auth_0/{verb}", key, {})
        assert (missing.status, missing.code) == (404, "not_found")
        assert (await psp.post(f"{PATH}/auth_0/{verb}", key, {"extra": 1})).status == 422
    assert (await psp.get(f"{PATH}/auth_0")).code == "not_found"
    assert (await psp.get("/v1/nowhere")).code == "not_found"
    assert (await psp.authorize(key)).status == 201


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": ""}])
async def test_every_change_needs_a_key(psp: Psp, headers: dict[str, str]) -> None:
    path = await psp.authorized()
    for where, body in [(PATH, order()), *((f"{path}/{verb}", {}) for verb in ("capture", "void", "refund"))]:
        refused = await psp.call(HTTPMethod.POST, where, headers=headers, json=body)
        assert (refused.status, refused.code) == (400, "idempotency_key_missing")


async def test_a_stranger_is_refused(psp: Psp) -> None:
    for given in ("", "Bearer wrong", API_KEY):
        headers = {"Authorization": given, "Idempotency-Key": new_key()}
        for method, path in [(HTTPMethod.POST, PATH), (HTTPMethod.GET, PATH), (HTTPMethod.GET, "/v1/ledger")]:
            refused = await psp.call(method, path, headers=headers, json={})
            assert (refused.status, refused.code) == (401, "unauthenticated")
        assert (await psp.call(HTTPMethod.GET, "/readyz", headers=headers)).status == 200


async def test_a_replay_is_the_same_to_the_byte(psp: Psp) -> None:
    key = new_key()
    first = await psp.authorize(key)
    path = f"{PATH}/{first.json['id']}"
    await psp.post(f"{path}/capture", new_key(), {})
    again = await psp.authorize(key)
    assert (again.status, again.body, again.replayed) == (201, first.body, True)

    refused, repeated = [await psp.post(f"{path}/capture", f"{key}:again", {}) for _ in range(2)]
    assert (refused.status, refused.code, refused.replayed) == (409, "wrong_state", False)
    assert (repeated.status, repeated.body, repeated.replayed) == (409, refused.body, True)


async def test_a_key_belongs_to_one_request(psp: Psp) -> None:
    key = new_key()
    path = f"{PATH}/{(await psp.authorize(key)).json['id']}"
    others = [
        await psp.authorize(key, amount=1001),
        await psp.authorize(key, "tok_declined"),
        await psp.post(f"{path}/capture", key, {}),
        await psp.post(f"{path}/void", key, {}),
    ]
    assert {(other.status, other.code) for other in others} == {(400, "idempotency_mismatch")}
    assert (await psp.get(path)).json["status"] == "authorized"


@pytest.mark.parametrize("token", ["tok_ok", "tok_slow"])
async def test_twenty_requests_with_one_key_are_one_authorization(psp: Psp, token: str) -> None:
    key = new_key()
    answers = await asyncio.gather(*(psp.authorize(key, token) for _ in range(20)))
    [first] = [answer for answer in answers if answer.status == 201 and not answer.replayed]
    for answer in answers:
        if answer.status == 201:
            assert answer.body == first.body
        else:
            assert (answer.status, answer.code) == (409, "idempotency_in_flight")
    assert await psp.found(key) == [first.json]
    assert len(await psp.ledger(key=key)) == 1


@pytest.mark.parametrize("verb", ["capture", "void"])
async def test_racing_changes_move_the_money_once(psp: Psp, verb: str) -> None:
    path = await psp.authorized()
    answers = await asyncio.gather(*(psp.post(f"{path}/{verb}", new_key(), {}) for _ in range(20)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses == ([200] + [409] * 19 if verb == "capture" else [200] * 20)
    kind = {"capture": "captured", "void": "voided"}[verb]
    assert len(await psp.ledger(kind=kind, authorization_id=path.removeprefix(f"{PATH}/"))) == 1


async def test_racing_refunds_stay_within_the_capture(psp: Psp) -> None:
    path = await psp.authorized()
    await psp.post(f"{path}/capture", new_key(), {})
    refunds = (psp.post(f"{path}/refund", new_key(), {"amount": 300}) for _ in range(10))
    answers = await asyncio.gather(*refunds)
    assert sorted(answer.status for answer in answers) == [200] * 3 + [409] * 7
    assert (await psp.get(path)).json["refunded"] == 900


async def test_a_lost_answer_is_a_charge_that_a_repeat_finds(psp: Psp) -> None:
    key = new_key()
    async with psp.unanswered(key, "tok_timeout"):
        while not (found := await psp.found(key)):
            pass
        meanwhile = await psp.settled(key, "tok_timeout")
    later = await psp.settled(key, "tok_timeout")
    for again in (meanwhile, later):
        assert (again.status, again.json, again.replayed) == (201, found[0], True)
    assert len(await psp.ledger(key=key)) == 1


async def test_an_error_once_is_fine_the_second_time(psp: Psp) -> None:
    key = new_key()
    failed = await psp.authorize(key, "tok_error_once")
    assert (failed.status, failed.code) == (500, "provider_error")
    assert await psp.found(key) == []
    fine = await psp.authorize(key, "tok_error_once")
    assert (fine.status, fine.replayed) == (201, False)
    assert (await psp.authorize(key, "tok_error_once")).replayed
    assert [entry["kind"] for entry in await psp.ledger(key=key)] == ["faulted", "authorized"]


async def test_a_caller_who_hangs_up_does_not_undo_a_slow_charge(psp: Psp) -> None:
    key = new_key()
    async with psp.unanswered(key, "tok_slow"):
        meanwhile = await psp.authorize(key, "tok_slow")
        assert meanwhile.replayed or meanwhile.code == "idempotency_in_flight"
        other = await psp.authorize(key, "tok_slow", amount=1)
        assert (other.status, other.code) == (400, "idempotency_mismatch")
    again = await psp.settled(key, "tok_slow")
    assert (again.status, again.replayed) == (201, True)


async def test_what_an_operator_reads(psp: Psp) -> None:
    await psp.authorized()
    await psp.authorize(new_key(), "tok_declined")
    assert (await psp.get("/healthz")).status == 200
    assert (await psp.get("/readyz")).status == 200
    text = (await psp.get("/metrics")).body.decode()
    assert 'psp_requests_total{method="POST",route="/v1/authorizations",status="201"}' in text
    assert 'psp_authorizations_total{outcome="authorized"}' in text
    assert 'psp_authorizations_total{outcome="declined"}' in text
    entries = await psp.ledger()
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))


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
