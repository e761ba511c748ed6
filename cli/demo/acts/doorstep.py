"""From the commit of an order to the buyer's doorstep: who heard of it, and what each did."""

from cli.demo.checkouts import WatchedCheckout
from cli.demo.shop import contents_of
from cli.demo.stage import Stage
from contracts.carts import CART_SETTLED
from contracts.fulfilment import SHIPMENT_DELIVERED, SHIPMENT_OPENED, SHIPMENT_SHIPPED, SHIPPING_REQUESTED
from contracts.notifications import NOTIFICATION_SENT
from contracts.orders import ORDER_COMPLETED, ORDER_CONFIRMED, ORDER_DELIVERED, ORDER_SHIPPED
from contracts.payments import PAYMENT_CAPTURED


async def hear_of_it(stage: Stage, bought: WatchedCheckout) -> None:
    """The order was confirmed in one transaction with its event; three services heard of it."""
    stage.title("Its events, from the commit on")
    order_id, check = bought.order_id, stage.findings.check
    await stage.events.follow(
        order_id, since=ORDER_CONFIRMED, until=(CART_SETTLED, SHIPMENT_OPENED, NOTIFICATION_SENT)
    )
    left = await stage.my_cart()
    check(not left.items, "carts heard it: the cart is empty", contents_of(left))
    shipment = await stage.staff.shipment(order_id)
    packed = {line.sku: line.quantity for line in shipment.lines}
    check(packed == stage.wanted, "fulfilment heard it: a parcel waits for the staff", packed)
    parcel = f"fulfilment-{order_id}"

    async def parcels_workflow() -> str:
        return await stage.status_of(parcel)

    await stage.becomes(f"Temporal runs {parcel}", parcels_workflow, "running")
    stage.workflows.append(("parcel", parcel))
    await stage.order_becomes(order_id, order="confirmed", payment="authorized", parcel="open")


async def send(stage: Stage, bought: WatchedCheckout) -> None:
    """The staff ships it, which takes the money and the stock; then it arrives."""
    stage.title("The staff ships it")
    order_id, skus = bought.order_id, stage.wanted
    before = {sku: await stage.staff.stock(sku) for sku in skus}
    told_so = await stage.staff.ship(order_id)
    stage.findings.need(told_so.status == 202, f"POST /v1/fulfilments/{order_id}/ship: 202", told_so)
    await stage.events.follow(
        order_id,
        since=SHIPPING_REQUESTED,
        until=(PAYMENT_CAPTURED, SHIPMENT_SHIPPED, ORDER_SHIPPED, NOTIFICATION_SENT),
    )
    await stage.order_becomes(order_id, order="shipped", payment="paid", parcel="shipped")
    total = (await stage.shop.order(order_id)).total
    books, expected = await stage.provider.books_on(order_id), f"{total} captured"
    stage.findings.check(books == expected, f"the provider's own books: {expected}", books)
    after = {sku: await stage.staff.stock(sku) for sku in skus}
    gone = {sku: (on_hand - skus[sku], reserved - skus[sku]) for sku, (on_hand, reserved) in before.items()}
    changes = ", ".join(f"{sku} {before[sku][0]} → {after[sku][0]}" for sku in skus)
    stage.findings.check(after == gone, f"it has left the house: {changes} on hand", (before, after))

    arrived = await stage.staff.deliver(order_id)
    stage.findings.need(arrived.status == 202, f"POST /v1/fulfilments/{order_id}/deliver: 202", arrived)
    await stage.events.follow(order_id, since=SHIPMENT_DELIVERED, until=(ORDER_DELIVERED, ORDER_COMPLETED))
    await stage.order_becomes(order_id, order="completed", payment="paid", parcel="delivered")
