"""A machine with a key: what its scope opens, what it does not, and the end of it."""

from api.inventory.views import AdjustStock
from cli.demo.checkouts import WatchedCheckout
from cli.demo.stage import Stage
from contracts.auth import Scope

COUNTED = 5


async def let_one_in(stage: Stage, bought: WatchedCheckout) -> None:
    """An admin makes a key with one scope; it counts stock in, refunds nothing, and is revoked."""
    stage.title("A machine's key")
    need, refused = stage.findings.need, stage.refused
    key = await stage.admin.make_key("the demo's goods receipt", Scope.INVENTORY_WRITE)
    need(
        key.scopes == [Scope.INVENTORY_WRITE],
        f"an admin makes {key.prefix}..., which may {key.scopes[0]}",
        key.scopes,
    )
    machine, sku = stage.shop.another(key.key), stage.watched
    before, _ = await stage.staff.stock(sku)
    arrived = AdjustStock(delta=COUNTED, reason="goods receipt")
    counted = await machine.ask("POST", f"/v1/inventory/{sku}/adjustments", body=arrived)
    after, _ = await stage.staff.stock(sku)
    need(
        (counted.status, after) == (200, before + COUNTED),
        f"the machine counts {COUNTED} in: {sku} {before} → {after} on hand",
        (str(counted), after),
    )
    refunds = f"/v1/admin/orders/{bought.order_id}/refund"
    refused("beyond its scope, a refund", await machine.ask("POST", refunds), "403 auth.forbidden")
    refused("where a person is needed", await machine.ask("GET", "/v1/auth/me"), "403 auth.forbidden")
    revoked = await stage.admin.revoke_key(key)
    need(revoked.status == 204, "the admin revokes it: 204", revoked)
    await stage.becomes_refused(
        "it opens nothing any more",
        lambda: machine.ask("GET", f"/v1/inventory/{sku}"),
        "401 auth.api_key_invalid",
    )
