"""Orders' decisions, pure."""

from collections.abc import Iterable, Sequence

from contracts.carts import CartSnapshot
from contracts.checkout import Step, StepState
from contracts.errors import FieldProblem
from contracts.money import Money, total
from contracts.products import Quote
from services.orders.errors import CartChanged, EmptyCart, IdempotencyMismatch, MissingIdempotencyKey
from services.orders.order import KeyRecord, OrderLine

MAX_KEY_LENGTH = 255


def valid_key(key: str | None) -> str:
    """The idempotency key, or a refusal to work without one."""
    if not key or len(key) > MAX_KEY_LENGTH:
        raise MissingIdempotencyKey(f"send an Idempotency-Key of 1 to {MAX_KEY_LENGTH} characters")
    return key


def check_fingerprint(record: KeyRecord, fingerprint: str) -> None:
    """Refuse a key that was used for another request."""
    if record.fingerprint != fingerprint:
        raise IdempotencyMismatch("this Idempotency-Key was used for another request")


def lines_as_seen(cart: CartSnapshot) -> tuple[OrderLine, ...]:
    """The order's lines at the prices that the cart showed."""
    if not cart.lines:
        raise EmptyCart("there is nothing in this cart")
    return tuple(
        OrderLine(sku=line.sku, title=line.title, quantity=line.quantity, unit_price=line.unit_price)
        for line in cart.lines
    )


def lines_as_quoted(cart: CartSnapshot, quotes: Iterable[Quote]) -> tuple[OrderLine, ...]:
    """The order's lines at today's prices; refused when one is no longer sold."""
    by_sku = {quote.sku: quote for quote in quotes}
    gone = [line.sku for line in cart.lines if line.sku not in by_sku]
    if gone:
        raise CartChanged(
            "Something in this cart is no longer sold.",
            errors=[FieldProblem(at=sku, message="no longer sold") for sku in gone],
        )
    return tuple(
        line.model_copy(update={"unit_price": by_sku[line.sku].price}) for line in lines_as_seen(cart)
    )


def sum_of(lines: Sequence[OrderLine], currency: str) -> Money:
    return total((line.line_total for line in lines), currency)


def agreed_lines(
    seen: tuple[OrderLine, ...], quoted: tuple[OrderLine, ...], expected: Money | None, currency: str
) -> tuple[OrderLine, ...]:
    """Today's lines, if they cost what the buyer agreed to: the total expected, else the one shown.

    A buyer who names the new total has seen the new prices; nobody else is charged a price unseen.
    """
    to_pay = sum_of(quoted, currency)
    if expected is not None and expected == to_pay:
        return quoted
    changed = [
        FieldProblem(at=now.sku, message=f"was {before.unit_price}, is {now.unit_price}")
        for before, now in zip(seen, quoted, strict=True)
        if before.unit_price != now.unit_price
    ]
    if changed:
        raise CartChanged("Prices changed since this cart was looked at.", errors=changed)
    if expected is not None:
        raise CartChanged(f"This cart costs {to_pay}, not the {expected} that was expected.")
    return quoted


def merged_steps(stored: Iterable[Step], newer: Iterable[Step]) -> tuple[Step, ...]:
    """The steps of a checkout over all its runs: a later run tells more only of what it began."""
    steps = {step.name: step for step in stored}
    for step in newer:
        if step.state is not StepState.WAITING or step.name not in steps:
            steps[step.name] = step
    return tuple(steps.values())
