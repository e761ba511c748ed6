"""What is bought can be given back: a cancelled order, and a refund of a part."""

from cli.demo.checkouts import WatchedCheckout
from cli.demo.stage import Stage
from contracts.fulfilment import SHIPMENT_STOPPED
from contracts.notifications import NOTIFICATION_SENT
from contracts.orders import ORDER_CANCELLED, RefundState, cancellation_id_of
from contracts.payments import PAYMENT_VOIDED


async def cancel(stage: Stage, bought: WatchedCheckout) -> None:
    """The buyer cancels before it is shipped: the parcel is stopped, then money and stock go back."""
    stage.title("The second order is cancelled")
    order_id, check = bought.order_id, stage.findings.check
    before = await stage.available()
    asked = await stage.shop.cancel(order_id)
    stage.findings.need(asked.status == 202, f"POST /v1/orders/{order_id}/cancel: 202", asked)
    await stage.events.follow(
        order_id, since=SHIPMENT_STOPPED, until=(PAYMENT_VOIDED, ORDER_CANCELLED, NOTIFICATION_SENT)
    )
    stage.workflows.append(("cancelled", cancellation_id_of(order_id)))
    await stage.order_becomes(order_id, order="cancelled", payment="voided", parcel="stopped")
    total = (await stage.shop.order(order_id)).total
    books = await stage.provider.books_on(order_id)
    check(books == f"{total} voided", f"the provider's own books: {total} voided", books)
    after = await stage.available()
    back = {sku: before[sku] + quantity for sku, quantity in stage.wanted.items()}
    changes = ", ".join(f"{sku} {before[sku]} → {after[sku]}" for sku in before)
    check(after == back, f"the stock is back: {changes} available", changes)
    late = await stage.staff.ship(order_id)
    refused = (late.status, late.code) == (409, "fulfilment.wrong_state")
    check(refused, "its parcel cannot be shipped any more: 409 fulfilment.wrong_state", late)


async def refund_a_part(stage: Stage, bought: WatchedCheckout) -> None:
    """Shipped and paid; then one thing in it came broken."""
    stage.title("The third order is shipped, and refunded in part")
    order_id, check = bought.order_id, stage.findings.check
    told_so = await stage.staff.ship(order_id)
    stage.findings.need(told_so.status == 202, f"POST /v1/fulfilments/{order_id}/ship: 202", told_so)
    await stage.order_becomes(order_id, order="shipped", payment="paid", parcel="shipped")
    order = await stage.shop.order(order_id)
    part = order.items[-1].unit_price
    given = await stage.staff.refund(order_id, part.amount, "it came broken")
    stage.findings.need(given.status == 202, f"POST /v1/admin/orders/{order_id}/refund {part}: 202", given)
    await stage.order_becomes(order_id, order="shipped", payment="partially_refunded", parcel="shipped")
    refunds = [
        (refund.amount, refund.state, refund.id) for refund in (await stage.shop.order(order_id)).refunds
    ]
    check(
        [refund[:2] for refund in refunds] == [(part, RefundState.DONE)], f"one refund, {part}: done", refunds
    )
    stage.workflows += [("refunded", f"refund-{refund_id}") for *_, refund_id in refunds]
    expected = f"{order.total} captured, {part} refunded"
    books = await stage.provider.books_on(order_id)
    check(books == expected, f"the provider's own books: {expected}", books)
    more = await stage.staff.refund(order_id, order.total.amount, "once more")
    refused = (more.status, more.code) == (409, "payments.refund_exceeds_capture")
    check(refused, "all of it once more: 409 payments.refund_exceeds_capture", more)
