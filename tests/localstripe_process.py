"""localstripe, a stand-in for Stripe, as a process of its own: `python -m tests.localstripe_process PORT`.

It is what it is, but for three things. It listens on the loopback address only, it does not write its store
to a fixed file, and it overlooks the parameters of Stripe's newer versions, which it would refuse.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import aiohttp

from tests.ports import free_port

ROOT = Path(__file__).parents[1]
DEADLINE_SECONDS = 60.0
API_KEY = "sk_test_localstripe"

# Cards by number, as Stripe's own test cards; localstripe has no name for these.
ASKS_BUYER = "4000002500003155"
DECLINED = "pm_card_chargeCustomerFail"
GOOD = "pm_card_visa"


@dataclass(frozen=True)
class LocalStripe:
    """A running localstripe, looked at past the adapter."""

    url: str

    async def card(self, number: str) -> str:
        """The token of a card, as the buyer's browser would get one."""
        card = {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}
        form = {"type": "card"} | {f"card[{name}]": value for name, value in card.items()}
        return str((await self._call("POST", "/v1/payment_methods", form))["id"])

    async def intent(self, intent_id: str) -> dict[str, Any]:
        return await self._call("GET", f"/v1/payment_intents/{intent_id}")

    async def intents_of(self, order_id: str) -> list[dict[str, Any]]:
        listed = await self._call("GET", "/v1/payment_intents?limit=1000")
        return [intent for intent in listed["data"] if intent["metadata"].get("order_id") == order_id]

    async def refunds(self, intent_id: str) -> list[int]:
        listed = await self._call("GET", f"/v1/refunds?payment_intent={intent_id}")
        return [refund["amount"] for refund in listed["data"]]

    async def send_webhooks_to(self, url: str, secret: str) -> None:
        await self._call("POST", "/_config/webhooks/ours", {"url": url, "secret": secret})

    async def _call(self, method: str, path: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {API_KEY}"}
        async with aiohttp.request(method, self.url + path, data=form, headers=headers) as response:
            response.raise_for_status()
            return await response.json() if response.content_type == "application/json" else {}


@asynccontextmanager
async def running_localstripe() -> AsyncIterator[LocalStripe]:
    """A localstripe with nothing in it, ended with the block."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.localstripe_process",
        str(port),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            if not await process.stdout.readline():
                _, said = await process.communicate()
                raise RuntimeError(f"localstripe did not start: {said.decode()}")
        yield LocalStripe(f"http://127.0.0.1:{port}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def _serve(port: int) -> None:
    from aiohttp import web

    resources = import_module("localstripe.resources")
    create = resources.PaymentIntent._api_create

    def create_overlooking(
        allowed_payment_method_types: object = None,
        error_on_requires_action: object = None,
        return_url: object = None,
        **known: object,
    ) -> object:
        return create(**known)

    resources.Store.dump_to_disk = lambda store: None
    resources.PaymentIntent._api_create = create_overlooking
    web.run_app(import_module("localstripe.server").app, host="127.0.0.1", port=port, access_log=None)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
