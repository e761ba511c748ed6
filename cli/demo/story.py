"""The story: a customer buys, has a card declined, and buys with another card; nothing is taken on trust."""

from secrets import token_hex, token_urlsafe

import aiohttp
from rich.console import Console
from temporalio.client import Client
from temporalio.service import RPCError

from api.carts.views import CartView
from api.orders.views import AddressBody, CheckoutView, PaymentMethodBody, PlaceCheckout
from api.products.views import ProductView, VariantView
from cli.demo.checkouts import Checkouts, WatchedCheckout
from cli.demo.findings import Findings, NotShown
from cli.demo.provider import Provider
from cli.demo.shop import Credentials, Shop
from contracts.checkout import FORWARD_STEPS, CheckoutState, StepName, StepState
from contracts.money import Money
from contracts.orders import OrderState
from runtime.settings import Settings

SEARCH = "coffee"
BASKET = (2, 1)
MINE = "mine"
# Stock is looked at every few milliseconds; should all looks have missed the hold, the card is tried again.
DECLINES = 3
# Every answer comes within this, a checkout's after the wait that the shop promises it.
ANSWER_SECONDS = 10.0


class Story:
    """One customer's visit; each act needs the ones before it."""

    def __init__(
        self,
        gateway: aiohttp.ClientSession,
        temporal: Client,
        provider: Provider,
        findings: Findings,
        console: Console,
    ) -> None:
        self._shop = Shop(gateway)
        self._checkouts = Checkouts(self._shop, temporal, console)
        self._provider = provider
        self._findings = findings
        self._console = console
        self._who = Credentials(email=f"ada-{token_hex(4)}@micromart.example", password=token_urlsafe(12))
        self._wanted: dict[str, int] = {}

    async def visit(self) -> None:
        """A guest fills a cart, registers, signs in, and finds it in their own cart."""
        self._title("A customer")
        account = await self._shop.register(self._who)
        self._findings.check(account.email == self._who.email, f"registered {account.email}", account.email)
        await self._search()
        guest = await self._shop.new_cart()
        filled = await self._fill(guest.id)
        self._findings.need(_units(filled) == self._wanted, f"a guest's cart holds {_told(filled)}", filled)
        await self._shop.sign_in(self._who)
        mine = await self._shop.merge(guest.id)
        self._findings.need(
            _units(mine) == self._wanted, f"signed in: merged into their own, {mine.total}", mine
        )
        gone = await self._shop.cart(guest.id)
        self._findings.check(gone.status == 404, "the guest's cart is gone", gone)

    async def buy(self) -> None:
        """A good card: four steps, then everything that must be true is looked up."""
        self._title("Checkout")
        cart = (await self._shop.cart(MINE)).read(CartView)
        before = await self._stock()
        seen = await self._place("tok_ok")
        await self._check_confirmed(seen)
        orders = [order for order in await self._shop.orders() if order.id == seen.order_id]
        self._findings.check(
            [(order.state, order.total) for order in orders] == [(OrderState.CONFIRMED, cart.total)],
            f"GET /v1/orders shows it confirmed, {cart.total}",
            [(order.state.value, str(order.total)) for order in orders],
        )
        again = await self._shop.place(seen.order, seen.key)
        self._findings.check(
            again == seen.reply,
            f"the same Idempotency-Key again: {again.status} and the same {len(again.body)} bytes",
            again,
        )
        left = (await self._shop.cart(MINE)).read(CartView)
        self._findings.check(not left.items, "the cart is empty", _told(left))
        after = await self._stock()
        expected = {sku: before[sku] - quantity for sku, quantity in self._wanted.items()}
        changes = ", ".join(f"{sku} {before[sku]} → {after[sku]}" for sku in before)
        self._findings.check(after == expected, f"the stock went down by what was bought: {changes}", changes)
        await self._check_charged_once(seen, cart.total)

    async def be_declined(self) -> None:
        """A card that is declined after the stock was reserved: the reservation comes back."""
        self._title("A declined card")
        cart = await self._fill(MINE)
        before = await self._stock()
        held = before[self._watched] - self._wanted[self._watched]
        there_and_back = [before[self._watched], held, before[self._watched]]
        for _ in range(DECLINES):
            seen = await self._place("tok_declined")
            if seen.stock == there_and_back:
                break
        self._findings.need(
            (seen.reply.status, seen.reply.code) == (402, "payments.declined"),
            f"402 payments.declined after {seen.answered_ms} ms",
            seen.reply,
        )
        self._findings.check(
            seen.stock == there_and_back,
            f"the reservation was seen coming back: {_arrows(there_and_back)}",
            _arrows(seen.stock),
        )
        for undo in (StepName.RELEASE_STOCK, StepName.VOID_PAYMENT):
            step = seen.step(undo)
            self._findings.check(step is not None and not step.refusal, f"{undo} has completed", step)
        self._findings.check(await self._stock() == before, "all stock is as before", await self._stock())
        left = (await self._shop.cart(MINE)).read(CartView)
        self._findings.check(
            left.items == cart.items, f"the cart still holds all of it, {left.total}", _told(left)
        )
        charged = await self._provider.held_for(seen.order_id)
        self._findings.check(not charged, "the provider's own books: nothing held for it", charged)

    async def buy_after_all(self) -> None:
        """The same cart with another card, whose provider fails once: the step has a second attempt."""
        self._title("The same cart, another card; the payment provider fails once")
        cart = (await self._shop.cart(MINE)).read(CartView)
        seen = await self._place("tok_error_once")
        await self._check_confirmed(seen)
        step = seen.step(StepName.AUTHORIZE_PAYMENT)
        attempts = step.attempts if step is not None else 0
        self._findings.check(attempts == 2, f"{StepName.AUTHORIZE_PAYMENT} took 2 attempts", attempts)
        await self._check_charged_once(seen, cart.total)

    @property
    def checkouts(self) -> list[WatchedCheckout]:
        """Every checkout that was placed, however it went."""
        return self._checkouts.placed

    @property
    def _watched(self) -> str:
        return next(iter(self._wanted))

    async def _search(self) -> None:
        """Choose the first hits of which there is enough for all three purchases."""
        hits = await self._shop.search(SEARCH)
        variants = [variant for hit in hits if (variant := await self._first_in_stock(hit)) is not None]
        self._findings.need(
            len(variants) >= len(BASKET),
            f'found {len(hits)} products for "{SEARCH}"',
            f"{len(variants)} in stock",
        )
        self._wanted = {variant.sku: quantity for variant, quantity in zip(variants, BASKET, strict=False)}

    async def _first_in_stock(self, product: ProductView) -> VariantView | None:
        for variant in product.variants:
            if await self._shop.available(variant.sku) >= max(BASKET) * 3:
                return variant
        return None

    async def _fill(self, cart_id: str) -> CartView:
        for sku, quantity in self._wanted.items():
            cart = await self._shop.put(cart_id, sku, quantity)
        return cart

    async def _stock(self) -> dict[str, int]:
        return {sku: await self._shop.available(sku) for sku in self._wanted}

    async def _place(self, card: str) -> WatchedCheckout:
        address = AddressBody(
            name="Ada Lovelace",
            line1="12 St James's Square",
            city="London",
            postal_code="SW1Y 4JH",
            country="GB",
        )
        order = PlaceCheckout(
            cart_id=MINE,
            email=self._who.email,
            shipping_address=address,
            payment_method=PaymentMethodBody(token=card),
        )
        return await self._checkouts.place(order, f"demo-{token_hex(8)}", watching=self._watched)

    async def _check_confirmed(self, seen: WatchedCheckout) -> None:
        fact = f"201 confirmed after {seen.answered_ms} ms"
        if seen.reply.status != 201:
            raise NotShown(f"{fact}; found {seen.reply}")
        answer = seen.reply.read(CheckoutView)
        self._findings.need(answer.state is CheckoutState.CONFIRMED, fact, answer.state.value)
        steps = seen.checkout.steps if seen.checkout is not None else ()
        self._findings.check(
            tuple(step.name for step in steps if step.state is StepState.COMPLETED) == FORWARD_STEPS,
            f"all {len(FORWARD_STEPS)} steps completed, in their order",
            [f"{step.name} {step.state}" for step in steps],
        )

    async def _check_charged_once(self, seen: WatchedCheckout, total: Money) -> None:
        held = await self._provider.held_for(seen.order_id)
        self._findings.check(
            [Money(amount=one.amount, currency=one.currency) for one in held] == [total],
            f"the provider's own books: exactly one authorization, {total}",
            [str(one) for one in held],
        )

    def _title(self, text: str) -> None:
        self._console.print(f"\n[bold]{text}[/]")


def _units(cart: CartView) -> dict[str, int]:
    return {line.sku: line.quantity for line in cart.items}


def _told(cart: CartView) -> str:
    return ", ".join(f"{line.quantity} × {line.title} ({line.sku})" for line in cart.items) or "nothing"


def _arrows(counts: list[int]) -> str:
    return " → ".join(map(str, counts))


async def play(settings: Settings, temporal: Client, findings: Findings, console: Console) -> Story:
    """Play the whole story; what keeps it from going on is a finding too, never an error."""
    patience = aiohttp.ClientTimeout(total=settings.checkout_wait_seconds + ANSWER_SECONDS)
    async with (
        aiohttp.ClientSession(settings.gateway_url, timeout=patience) as gateway,
        aiohttp.ClientSession(timeout=patience) as outside,
    ):
        story = Story(gateway, temporal, Provider(outside, settings), findings, console)
        try:
            for act in (story.visit, story.buy, story.be_declined, story.buy_after_all):
                await act()
        except NotShown as error:
            findings.check(False, str(error))
        except (aiohttp.ClientError, RPCError, TimeoutError, OSError) as error:
            findings.check(False, "everything answers", repr(error))
    return story
