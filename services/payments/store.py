"""Payments' queries, inside one unit of work."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from contracts.events import Event
from contracts.money import Money
from runtime import outbox
from runtime.database import Database
from services.payments.tables import (
    LedgerRow,
    MovementKind,
    MovementState,
    OutboxRow,
    PaymentRow,
    PaymentState,
)


@dataclass(frozen=True)
class Payment:
    """One order's payment as it stands."""

    order_id: str
    state: PaymentState
    amount: Money
    token: str
    provider_id: str | None
    decline_reason: str | None
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


_PAYMENT = (
    col(PaymentRow.order_id),
    col(PaymentRow.state),
    col(PaymentRow.amount),
    col(PaymentRow.currency),
    col(PaymentRow.token),
    col(PaymentRow.provider_id),
    col(PaymentRow.decline_reason),
    col(PaymentRow.captured),
    col(PaymentRow.refunded),
    col(PaymentRow.sequence),
)


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
            upsert(PaymentRow)
            .values(
                order_id=order_id,
                state=state,
                amount=amount.amount,
                currency=amount.currency,
                token=token,
                provider=provider,
                captured=0,
                refunded=0,
                sequence=0,
                created_at=now,
                updated_at=now,
            )
            .on_conflict_do_nothing()
        )
        return claimed.rowcount == 1

    async def find(self, order_id: str, *, lock: bool = False) -> Payment | None:
        """The order's payment; with `lock`, nobody else changes it before this block ends."""
        query = select(*_PAYMENT).where(col(PaymentRow.order_id) == order_id)
        row = (await self._connection.execute(query.with_for_update() if lock else query)).one_or_none()
        return _payment(row) if row is not None else None

    async def move(
        self,
        order_id: str,
        state: PaymentState,
        now: datetime,
        *,
        provider_id: str | None = None,
        decline_reason: str | None = None,
        captured: int = 0,
        refunded: int = 0,
    ) -> Payment:
        """Write the payment's next state under the lock that the caller holds; amounts are added."""
        moved = await self._connection.execute(
            update(PaymentRow)
            .where(col(PaymentRow.order_id) == order_id)
            .values(
                state=state,
                provider_id=func.coalesce(provider_id, col(PaymentRow.provider_id)),
                decline_reason=func.coalesce(decline_reason, col(PaymentRow.decline_reason)),
                captured=col(PaymentRow.captured) + captured,
                refunded=col(PaymentRow.refunded) + refunded,
                sequence=col(PaymentRow.sequence) + 1,
                updated_at=now,
            )
            .returning(*_PAYMENT)
        )
        return _payment(moved.one())

    async def begin_movement(
        self, key: str, order_id: str, kind: MovementKind, amount: Money, now: datetime
    ) -> MovementState:
        """Write down a movement before the provider hears of it; answers the state of one known already."""
        begun = await self._connection.execute(
            upsert(LedgerRow)
            .values(
                key=key,
                order_id=order_id,
                kind=kind,
                amount=amount.amount,
                currency=amount.currency,
                state=MovementState.PENDING,
                created_at=now,
            )
            .on_conflict_do_nothing()
        )
        if begun.rowcount == 1:
            return MovementState.PENDING
        state = await self._connection.scalar(
            select(col(LedgerRow.state)).where(col(LedgerRow.key) == key).with_for_update()
        )
        return MovementState(str(state))

    async def settle_movement(self, key: str, state: MovementState, now: datetime) -> None:
        await self._connection.execute(
            update(LedgerRow)
            .where(col(LedgerRow.key) == key, col(LedgerRow.state) == MovementState.PENDING)
            .values(state=state, settled_at=now)
        )

    async def amount_of(self, key: str) -> Money | None:
        """The amount that a movement's key names, if it was used."""
        named = select(col(LedgerRow.amount), col(LedgerRow.currency)).where(col(LedgerRow.key) == key)
        row = (await self._connection.execute(named)).one_or_none()
        return Money(amount=row.amount, currency=row.currency) if row is not None else None

    async def refunds_not_refused(self, order_id: str, *, besides: str) -> int:
        """The sum of an order's refunds that were made or may yet be, other than the one named."""
        total = await self._connection.scalar(
            select(func.coalesce(func.sum(col(LedgerRow.amount)), 0)).where(
                col(LedgerRow.order_id) == order_id,
                col(LedgerRow.kind) == MovementKind.REFUND,
                col(LedgerRow.state) != MovementState.REFUSED,
                col(LedgerRow.key) != besides,
            )
        )
        return int(total or 0)

    async def ledger(self, order_id: str) -> list[Movement]:
        """All movements of an order, oldest first."""
        rows = await self._connection.execute(
            select(
                col(LedgerRow.key),
                col(LedgerRow.kind),
                col(LedgerRow.amount),
                col(LedgerRow.currency),
                col(LedgerRow.state),
                col(LedgerRow.created_at),
                col(LedgerRow.settled_at),
            )
            .where(col(LedgerRow.order_id) == order_id)
            .order_by(col(LedgerRow.created_at), col(LedgerRow.key))
        )
        return [
            Movement(
                key=row.key,
                kind=MovementKind(row.kind),
                amount=Money(amount=row.amount, currency=row.currency),
                state=MovementState(row.state),
                created_at=row.created_at,
                settled_at=row.settled_at,
            )
            for row in rows
        ]

    async def emit(self, events: Sequence[Event]) -> None:
        await outbox.append(self._connection, OutboxRow, events)


def _payment(row: Any) -> Payment:
    fields = row._mapping
    return Payment(
        order_id=fields["order_id"],
        state=PaymentState(fields["state"]),
        amount=Money(amount=fields["amount"], currency=fields["currency"]),
        token=fields["token"],
        provider_id=fields["provider_id"],
        decline_reason=fields["decline_reason"],
        captured=fields["captured"],
        refunded=fields["refunded"],
        sequence=fields["sequence"],
    )
