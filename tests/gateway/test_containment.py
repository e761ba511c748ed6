"""What fails behind the gateway, or floods it, stays where it is; what the staff does is written down."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from contracts.auth import EndedSession
from tests.gateway.stand import ISSUER, TooSlow, Upstream, gateway_before, given_time, problem_of, settings
from tests.gateway_peers import answer, bearer
from tests.polling import until

STAFF = {"roles": ["staff"], "sub": "staff-1"}


async def test_a_service_that_has_enough_is_sent_no_more(upstream: Upstream, upstream_url: str) -> None:
    upstream.handle = upstream.hang
    async with gateway_before(settings(upstream_url, upstream_concurrency="2")) as client:
        waiting = [asyncio.create_task(client.get("/v1/products")) for _ in range(2)]

        async def are_there() -> bool:
            return len(upstream.requests) == 2

        await until(are_there)
        async with client.get("/v1/products") as response:
            assert await problem_of(response) == (503, "gateway.upstream_overloaded")
            assert response.headers["retry-after"] == "1"
        upstream.handle = upstream.echo
        # Another service's places are its own.
        async with client.get("/v1/carts/x") as response:
            assert response.status == 200
        for request in waiting:
            request.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

        async def has_room() -> bool:
            async with client.get("/v1/products") as response:
                return response.status == 200

        await until(has_room)


async def test_who_sends_slowly_takes_nobodys_place(upstream: Upstream, upstream_url: str) -> None:
    goes_on = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        await goes_on.wait()
        yield b"}"

    async with gateway_before(settings(upstream_url, upstream_concurrency="1")) as client:
        slow = asyncio.create_task(client.post("/v1/carts", data=slowly(), headers={"content-length": "2"}))
        for _ in range(50):
            async with client.get("/v1/carts/x") as response:
                assert response.status == 200
        goes_on.set()
        async with await slow as response:
            assert response.status == 200


async def test_events_flow_for_longer_than_an_exchange_may_take(
    upstream: Upstream, upstream_url: str
) -> None:
    late = asyncio.Event()

    async def tells(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/v1/products":
            await upstream.hang(scope, receive, send)
            return
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await late.wait()
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})

    async def outlives_another(seconds: float) -> None:
        headers = {"accept": "text/event-stream"}
        async with (
            gateway_before(settings(upstream_url), total=seconds, first_byte=seconds) as client,
            client.get("/v1/products", headers=headers) as response,
        ):
            if response.status == 504:
                raise TooSlow
            assert await response.content.readany() == b"data: 1\n\n"
            # An exchange that began later is over.
            async with client.get("/v1/carts/x") as other:
                assert other.status == 504
            late.set()
            assert await response.read() == b"data: 2\n\n"

    upstream.handle = tells
    await given_time(outlives_another)


async def test_a_stream_is_open_before_its_first_event(upstream: Upstream, upstream_url: str) -> None:
    seen = asyncio.Event()

    async def waits(_: Scope, __: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await seen.wait()
        await send({"type": "http.response.body", "body": b"data: 1\n\n"})

    upstream.handle = waits
    async with (
        gateway_before(settings(upstream_url)) as client,
        client.get("/v1/products", headers={"accept": "text/event-stream"}) as response,
    ):
        assert response.status == 200
        seen.set()
        assert await response.read() == b"data: 1\n\n"


@pytest.mark.parametrize("headers", [{}, {"accept": "text/event-stream"}])
async def test_a_stream_that_falls_silent_is_cut(
    upstream: Upstream, upstream_url: str, headers: dict[str, str]
) -> None:
    async def falls_silent(_: Scope, receive: Receive, send: Send) -> None:
        said = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": said})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await upstream.hang(_, receive, send)

    upstream.handle = falls_silent
    async with (
        gateway_before(settings(upstream_url), silence=0.2) as client,
        client.get("/v1/products", headers=headers) as response,
        asyncio.timeout(20),
    ):
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_an_answer_that_does_not_end_in_time_is_cut(upstream: Upstream, upstream_url: str) -> None:
    async def never_ends(_: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await upstream.hang(_, receive, send)

    async def is_cut(seconds: float) -> None:
        async with (
            gateway_before(settings(upstream_url), total=seconds) as client,
            client.get("/v1/products") as response,
        ):
            if response.status == 504:
                raise TooSlow
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()

    upstream.handle = never_ends
    await given_time(is_cut)


async def test_every_answer_says_how_much_is_left(upstream_url: str) -> None:
    async with gateway_before(settings(upstream_url, limit_sign_in="2/minute")) as client:
        for _ in range(12):
            async with client.post("/v1/auth/login", data=b"{}") as response:
                assert response.headers["ratelimit-policy"].startswith('"sign_in";')
                if response.status == 429:
                    assert await problem_of(response) == (429, "gateway.rate_limited")
                    assert int(response.headers["retry-after"]) > 0
                    break
        else:
            pytest.fail("it was never refused")
        # Who has to wait at the door may look at the shop window.
        async with client.get("/v1/products") as response:
            assert response.status == 200


async def test_a_service_that_refuses_by_a_limit_of_its_own_is_not_contradicted(
    upstream: Upstream, upstream_url: str
) -> None:
    async def too_many(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, 429, b"{}", [(b"retry-after", b"60")])

    upstream.handle = too_many
    async with (
        gateway_before(settings(upstream_url)) as client,
        client.post("/v1/auth/login", data=b"{}") as response,
    ):
        assert (response.status, response.headers["retry-after"]) == (429, "60")
        assert not {"ratelimit", "ratelimit-policy"} & {name.lower() for name in response.headers}


async def test_whoever_tries_tokens_is_limited_like_a_reader(upstream_url: str) -> None:
    async with gateway_before(settings(upstream_url, limit_read="4/minute")) as client:
        statuses = []
        for number in range(12):
            async with client.get("/v1/orders", headers=bearer(f"guess-{number}")) as response:
                statuses.append(response.status)
    assert statuses[0] == 401
    assert statuses[-1] == 429


async def test_a_session_that_ended_is_refused_at_once_after_a_logout_here(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async def no_content(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, 204, b"")

    headers = bearer(ISSUER.token(sid="session-x"))
    async with client.get("/v1/orders", headers=headers) as response:
        assert response.status == 200
    upstream.handle = no_content
    async with client.post("/v1/auth/logout", headers=headers) as response:
        assert response.status == 204
    async with client.get("/v1/orders", headers=headers) as response:
        assert await problem_of(response) == (401, "auth.session_ended")


async def test_a_session_that_auth_ended_is_refused_within_seconds(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    headers = bearer(ISSUER.token(sid="session-y"))
    async with client.get("/v1/orders", headers=headers) as response:
        assert response.status == 200
    upstream.ended.append(EndedSession(session="session-y", ended_at=datetime.now(UTC)))

    async def is_refused() -> bool:
        async with client.get("/v1/orders", headers=headers) as response:
            return response.status == 401

    await until(is_refused)


async def test_what_the_staff_changes_is_written_down_before_and_after(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async with client.delete("/v1/products/moka", headers=bearer(ISSUER.token(**STAFF))) as response:
        assert response.status == 200
    (noted,) = upstream.noted
    assert (noted.actor, noted.method, noted.route, noted.path) == (
        "staff-1",
        "DELETE",
        "/v1/products/{id}",
        "/v1/products/moka",
    )
    assert noted.request_id == response.headers["x-request-id"]

    async def is_told() -> bool:
        return upstream.outcomes == [200]

    await until(is_told)
    async with client.get("/v1/admin/orders", headers=bearer(ISSUER.token(**STAFF))) as response:
        assert response.status == 200
    assert len(upstream.noted) == 1


async def test_what_cannot_be_written_down_is_not_done(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    upstream.refuses_notes = True
    async with client.delete("/v1/products/x", headers=bearer(ISSUER.token(**STAFF))) as response:
        assert await problem_of(response) == (503, "gateway.staff_action_not_noted")
    assert not upstream.requests


async def test_what_the_staff_does_in_a_buyers_place_is_written_down(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    for caller in (STAFF, {"roles": ["customer"], "sub": "buyer"}):
        headers = bearer(ISSUER.token(**caller))
        async with client.post("/v1/orders/o-1/cancel", headers=headers) as response:
            assert response.status == 200
    assert [(noted.actor, noted.path) for noted in upstream.noted] == [("staff-1", "/v1/orders/o-1/cancel")]
