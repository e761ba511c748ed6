"""The refunds' queries, inside the order's unit of work."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import Refusal
from contracts.orders import RefundState
from services.orders import statements
from services.orders.refund import Refund
from services.orders.rows import refund_in
from services.orders.statements import ORDERS, REFUNDS


class RefundBook:
    """What the staff asked for, by order; whoever adds to it holds the order's lock."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, refund_id: str) -> Refund | None:
        found = await self._connection.execute(statements.REFUND, {"id": refund_id})
        row = found.mappings().one_or_none()
        return refund_in(row) if row is not None else None

    async def of(self, order_ids: Iterable[str]) -> list[Refund]:
        """The refunds of these orders, oldest first."""
        found = await self._connection.execute(statements.REFUNDS_OF, {"ids": list(order_ids)})
        return [refund_in(row) for row in found.mappings()]

    async def spoken_for(self, order_id: str) -> int:
        """The sum of an order's refunds that were made or may yet be."""
        total = await self._connection.scalar(statements.REFUNDS_NOT_REFUSED, {"order_id": order_id})
        return int(total or 0)

    async def add(self, refund: Refund) -> None:
        await self._connection.execute(
            statements.ADD_REFUND,
            {
                "id": refund.id,
                "order_id": refund.order_id,
                "amount": refund.amount.amount,
                "reason": refund.reason,
                "requested_by": refund.requested_by,
                "state": refund.state,
                "created_at": refund.created_at,
            },
        )

    async def note_for_operator(self, refund_id: str, note: str) -> None:
        """Write why a refund that has not ended keeps failing."""
        await self._connection.execute(statements.NOTE_REFUND, {"of_refund": refund_id, "note": note})

    async def settle(
        self, refund_id: str, state: RefundState, refusal: Refusal | None, now: datetime
    ) -> None:
        """Write how a refund ended; one that has ended stays as it is."""
        await self._connection.execute(
            statements.SETTLE_REFUND,
            {
                "of_refund": refund_id,
                "to_state": state,
                "for_refusal": refusal.model_dump(mode="json") if refusal else None,
                "now": now,
            },
        )

    async def to_make(self, before: datetime, after: tuple[datetime, str] | None, limit: int) -> list[Refund]:
        """Refunds requested before a moment that have not ended, oldest first."""
        query = (
            select(REFUNDS, ORDERS.c.currency)
            .join(ORDERS)
            .where(REFUNDS.c.state == RefundState.REQUESTED.value, REFUNDS.c.created_at < before)
            .order_by(REFUNDS.c.created_at, REFUNDS.c.id)
            .limit(limit)
        )
        if after is not None:
            query = query.where(tuple_(REFUNDS.c.created_at, REFUNDS.c.id) > tuple_(*after))
        return [refund_in(row) for row in (await self._connection.execute(query)).mappings()]
