"""The page of the buyer's bank, at the provider."""

from collections.abc import AsyncIterator
from http import HTTPMethod
from urllib.parse import urlsplit

import pytest

from tests.stores.psp_calls import PATH, Answer, Psp, new_key, running

TOKEN = "tok_action_required"
NOBODY = {"Authorization": ""}


@pytest.fixture(scope="module")
async def psp(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Psp]:
    async with running(tmp_path_factory.mktemp("psp") / "ledger.jsonl") as psp:
        yield psp


async def asked(psp: Psp, key: str) -> str:
    """The path of the page to which the buyer of a new authorization is sent."""
    opened = await psp.authorize(key, TOKEN)
    assert (opened.status, opened.json["status"]) == (201, "requires_action")
    url = str(opened.json["action_url"])
    assert url == f"http://{psp.host}:{psp.port}/v1/actions/{opened.json['id']}"
    return urlsplit(url).path


async def act(psp: Psp, page: str, outcome: str) -> Answer:
    return await psp.call(HTTPMethod.POST, page, headers=NOBODY, json={"outcome": outcome})


@pytest.mark.parametrize(
    ("outcome", "status", "kind"),
    [("approve", "authorized", "authorized"), ("decline", "declined", "declined")],
)
async def test_the_buyer_decides_without_an_api_key(psp: Psp, outcome: str, status: str, kind: str) -> None:
    key = new_key()
    page = await asked(psp, key)
    for _ in range(2):
        answer = await act(psp, page, outcome)
        assert (answer.status, answer.json["status"]) == (200, status)
    [found] = await psp.found(key)
    assert found == answer.json
    entries = await psp.ledger(authorization_id=found["id"])
    assert [entry["kind"] for entry in entries] == ["requires_action", kind]


async def test_a_repeat_of_the_request_gets_the_first_answer_and_a_look_up_the_truth(psp: Psp) -> None:
    key = new_key()
    page = await asked(psp, key)
    await act(psp, page, "approve")
    again = await psp.authorize(key, TOKEN)
    assert (again.status, again.json["status"], again.replayed) == (201, "requires_action", True)
    assert (await psp.get(f"{PATH}/{again.json['id']}")).json["status"] == "authorized"


async def test_what_was_voided_waits_for_nobody(psp: Psp) -> None:
    key = new_key()
    page = await asked(psp, key)
    [waiting] = await psp.found(key)
    voided = await psp.post(f"{PATH}/{waiting['id']}/void", new_key(), {})
    assert (voided.status, voided.json["status"]) == (200, "voided")
    late = await act(psp, page, "approve")
    assert (late.status, late.code) == (409, "wrong_state")


async def test_a_buyer_cannot_change_their_mind(psp: Psp) -> None:
    page = await asked(psp, new_key())
    await act(psp, page, "decline")
    assert (await act(psp, page, "approve")).code == "wrong_state"


async def test_the_page_offers_both(psp: Psp) -> None:
    page = await asked(psp, new_key())
    shown = await psp.call(HTTPMethod.GET, page, headers=NOBODY)
    assert (shown.status, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'data-outcome="approve"' in shown.body
    assert b'data-outcome="decline"' in shown.body


async def test_a_page_that_nobody_was_sent_to_is_not_there(psp: Psp) -> None:
    for missing in (
        await psp.call(HTTPMethod.GET, "/v1/actions/auth_0", headers=NOBODY),
        await act(psp, "/v1/actions/auth_0", "approve"),
    ):
        assert (missing.status, missing.code) == (404, "not_found")


async def test_what_a_buyer_cannot_say_is_refused(psp: Psp) -> None:
    page = await asked(psp, new_key())
    assert (await act(psp, page, "perhaps")).code == "invalid_request"


async def test_a_capture_is_refused_once(psp: Psp) -> None:
    opened = await psp.authorize(new_key(), "tok_capture_fails")
    path = f"{PATH}/{opened.json['id']}"
    key = new_key()
    refused, replayed = [await psp.post(f"{path}/capture", key, {}) for _ in range(2)]
    assert (refused.status, refused.code) == (402, "capture_declined")
    assert (replayed.status, replayed.body, replayed.replayed) == (402, refused.body, True)
    assert (await psp.post(f"{path}/capture", new_key(), {})).json["status"] == "captured"
