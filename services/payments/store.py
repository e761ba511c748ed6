"""Payments' queries, inside one unit of work."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import Event
from contracts.money import Money
from runtime import outbox
from runtime.database import Database
from services.payments import statements
from services.payments.errors import UnknownPayment
from services.payments.provider import Report
from services.payments.tables import MovementKind, MovementState, OutboxRow, PaymentState

PRUNED_AT_ONCE = 5_000


@dataclass(frozen=True)
class Payment:
    """One order's payment as it stands."""

    order_id: str
    state: PaymentState
    amount: Money
    token: str
    provider_id: str | None
    decline_reason: str | None
    action_url: str | None
    capture_failure: str | None
    captured: int
    refunded: int
    sequence: int


@dataclass(frozen=True)
class Movement:
    """One entry of the ledger."""

    key: str
    kind: MovementKind
    amount: Money
    state: MovementState
    created_at: datetime
    settled_at: datetime | None


class PaymentsStore:
    """Opens units of work on payments' own database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["PaymentsTransaction"]:
        async with self._database.begin() as connection:
            yield PaymentsTransaction(connection)

    async def ping(self) -> None:
        await self._database.ping()


class PaymentsTransaction:
    """Everything that payments reads and writes; commits when its block ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open(
        self, order_id: str, state: PaymentState, amount: Money, token: str, provider: str, now: datetime
    ) -> bool:
        """Claim the order's payment in this state; False when there is one already."""
        claimed = await self._connection.execute(
            statements.OPEN,
            {
                "order_id": order_id,
                "state": state,
                "amount": amount.amount,
                "currency": amount.currency,
                "token": token,
                "provider": provider,
                "captured": 0,
                "refunded": 0,
                "sequence": 0,
                "created_at": now,
                "updated_at": now,
            },
        )
        return claimed.rowcount == 1

    async def find(self, order_id: str, *, lock: bool = False) -> Payment | None:
        """The order's payment; with `lock`, nobody else changes it before this block ends."""
        query = statements.FIND_LOCKED if lock else statements.FIND
        row = (await self._connection.execute(query, {"order_id": order_id})).mappings().one_or_none()
        return _payment(row) if row is not None else None

    async def known(self, order_id: str, *, lock: bool = False) -> Payment:
        """The order's payment, as `find` does; refused where there is none."""
        payment = await self.find(order_id, lock=lock)
        if payment is None:
            raise UnknownPayment(f"there is no payment for order {order_id}")
        return payment

    async def move(
        self,
        order_id: str,
        state: PaymentState,
        now: datetime,
        *,
        provider_id: str | None = None,
        decline_reason: str | None = None,
        action_url: str | None = None,
        capture_failure: str | None = None,
        captured: int = 0,
        refunded: int = 0,
    ) -> Payment:
        """Write the payment's next state under the lock that the caller holds; amounts are added.

        What a buyer has to do and why a capture failed belong to one state, and end with it.
        """
        moved = await self._connection.execute(
            statements.MOVE,
            {
                "of_order": order_id,
                "to_state": state,
                "held_as": provider_id,
                "declined_for": decline_reason,
                "act_at": action_url,
                "not_captured_for": capture_failure,
                "captured_more": captured,
                "refunded_more": refunded,
                "now": now,
            },
        )
        return _payment(moved.mappings().one())

    async def begin_movement(
        self, key: str, order_id: str, kind: MovementKind, amount: Money, now: datetime
    ) -> MovementState:
        """Write down a movement before the provider hears of it; answers the state of one known already."""
        begun = await self._connection.execute(
            statements.BEGIN_MOVEMENT,
            {
                "key": key,
                "order_id": order_id,
                "kind": kind,
                "amount": amount.amount,
                "currency": amount.currency,
                "state": MovementState.PENDING,
                "created_at": now,
            },
        )
        if begun.rowcount == 1:
            return MovementState.PENDING
        known = await self._connection.execute(statements.MOVEMENT_LOCKED, {"key": key})
        return _movement(known.mappings().one()).state

    async def settle_movement(self, key: str, state: MovementState, now: datetime) -> None:
        await self._connection.execute(
            statements.SETTLE_MOVEMENT, {"of_key": key, "to_state": state, "now": now}
        )

    async def movement(self, key: str) -> Movement | None:
        """What a movement's key names, if it was used."""
        row = (await self._connection.execute(statements.MOVEMENT, {"key": key})).mappings().one_or_none()
        return _movement(row) if row is not None else None

    async def captures_refused(self, order_id: str) -> int:
        """How often the provider would not take what it held."""
        count = await self._connection.scalar(statements.CAPTURES_REFUSED, {"order_id": order_id})
        return int(count or 0)

    async def refunds_not_refused(self, order_id: str, *, besides: str) -> int:
        """The sum of an order's refunds that were made or may yet be, other than the one named."""
        total = await self._connection.scalar(
            statements.REFUNDS_NOT_REFUSED, {"order_id": order_id, "besides": besides}
        )
        return int(total or 0)

    async def ledger(self, order_id: str) -> list[Movement]:
        """All movements of an order, oldest first."""
        rows = await self._connection.execute(statements.LEDGER_OF, {"order_id": order_id})
        return [_movement(row) for row in rows.mappings()]

    async def note_report(self, provider: str, report: Report, now: datetime) -> bool:
        """Write down that a provider reported; False when it had done so with this message already."""
        noted = await self._connection.execute(
            statements.NOTE_WEBHOOK,
            {
                "provider": provider,
                "report_id": report.id,
                "order_id": report.order_id,
                "received_at": now,
            },
        )
        return noted.rowcount == 1

    async def drop_reports(self, before: datetime) -> int:
        """Drop some of the reports that came before then; 0 when none are left."""
        dropped = await self._connection.execute(
            statements.DROP_WEBHOOKS, {"before": before, "at_once": PRUNED_AT_ONCE}
        )
        return dropped.rowcount

    async def next_sequence(self, order_id: str) -> int:
        """A sequence for a fact that changes nothing of the payment; 0 where there is none yet."""
        sequence = await self._connection.scalar(statements.NEXT_SEQUENCE, {"of_order": order_id})
        return int(sequence or 0)

    async def emit(self, events: Sequence[Event]) -> None:
        await outbox.append(self._connection, OutboxRow, events)


def _payment(row: RowMapping) -> Payment:
    return Payment(
        order_id=row["order_id"],
        state=PaymentState(row["state"]),
        amount=Money(amount=row["amount"], currency=row["currency"]),
        token=row["token"],
        provider_id=row["provider_id"],
        decline_reason=row["decline_reason"],
        action_url=row["action_url"],
        capture_failure=row["capture_failure"],
        captured=row["captured"],
        refunded=row["refunded"],
        sequence=row["sequence"],
    )


def _movement(row: RowMapping) -> Movement:
    return Movement(
        key=row["key"],
        kind=MovementKind(row["kind"]),
        amount=Money(amount=row["amount"], currency=row["currency"]),
        state=MovementState(row["state"]),
        created_at=row["created_at"],
        settled_at=row["settled_at"],
    )
