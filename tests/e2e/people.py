"""Who may stand at the gateway: users of every role, machines with keys, buyers with their things."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any

from pydantic import SecretStr

from contracts.auth import Scope
from contracts.identity import Role
from services.auth.factory import open_accounts
from tests.e2e.shop import Shop
from tests.e2e.shopper import PASSWORD, Answer, Shopper


async def user(shop: Shop, role: Role) -> Shopper:
    """A new user of this role who has signed in, and whom no other test knows."""
    email = f"{role}-{token_hex(8)}@example.com"
    async with open_accounts(shop.settings) as accounts:
        await accounts.create_user(email, SecretStr(PASSWORD), None, {role})
    return await shop.signed_in(email)


async def make_key(admin: Shopper, scopes: Iterable[Scope]) -> dict[str, Any]:
    """A new key with these scopes, as the answer shows it."""
    body = {"name": "a machine of the tests", "scopes": sorted(scopes)}
    made = await admin.call("POST", "/v1/admin/api-keys", body)
    assert made.status == 201, made.raw
    key: dict[str, Any] = made.body
    return key


async def machine(admin: Shopper, *scopes: Scope) -> Shopper:
    """A machine whose key has these scopes."""
    return replace(admin, token=(await make_key(admin, scopes))["key"], email="")


@dataclass(frozen=True)
class Buyer:
    """Somebody with a cart, an order that was bought and, unless a guest, a session."""

    shopper: Shopper
    sku: str
    cart: str
    order: str
    session: str
    order_token: str | None

    @property
    def is_guest(self) -> bool:
        return self.shopper.token is None

    async def call(self, method: str, path: str, body: object = None) -> Answer:
        """One request with everything that proves who asks."""
        proof = {"X-Order-Token": self.order_token} if self.order_token is not None else {}
        headers = proof | ({"Idempotency-Key": token_hex()} if path == "/v1/checkouts" else {})
        return await self.shopper.call(method, path, body, headers=headers)

    async def things(self) -> list[Any]:
        """All that is the buyer's, as the buyer sees it."""
        paths = [f"/v1/carts/{self.cart}", f"/v1/orders/{self.order}", f"/v1/checkouts/{self.order}"]
        found = [await self.call("GET", path) for path in paths]
        assert all(answer.status == 200 for answer in found), [answer.raw for answer in found]
        if not self.is_guest:
            sessions = (await self.call("GET", "/v1/auth/sessions")).body["items"]
            return [*(answer.body for answer in found), [session["id"] for session in sessions]]
        return [answer.body for answer in found]


async def buyer(shop: Shop, sku: str, *, signed_in: bool) -> Buyer:
    """A new buyer with one of everything."""
    shopper = await shop.customer() if signed_in else shop.guest
    bought = await shopper.see_through(await shopper.cart_with(sku))
    assert bought.status == 201, bought.raw
    session = ""
    if signed_in:
        [only] = (await shopper.get("/v1/auth/sessions")).body["items"]
        session = only["id"]
    return Buyer(
        shopper=shopper,
        sku=sku,
        cart=await shopper.cart_with(sku),
        order=bought.body["order_id"],
        session=session,
        order_token=bought.body.get("access_token"),
    )
