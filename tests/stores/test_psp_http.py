"""What the provider's HTTP API answers."""

import re
from collections.abc import AsyncIterator
from http import HTTPMethod

import pytest

from tests.stores.psp_calls import API_KEY, PATH, Psp, new_key, order, running


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
    [("tok_declined", "declined"), ("tok_insufficient_funds", "insufficient_funds")],
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
