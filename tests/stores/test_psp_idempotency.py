"""One key, one effect: repeats, races, and answers that nobody read."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.stores.psp_calls import PATH, Psp, new_key, running


@pytest.fixture(scope="module")
async def psp(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Psp]:
    async with running(tmp_path_factory.mktemp("psp") / "ledger.jsonl") as psp:
        yield psp


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
