"""Auth's queries about mailed links, in the caller's unit of work."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from services.auth.tables import MailedLinkRow, Purpose, ResetRequestRow, UserRow

_UNUSED = col(MailedLinkRow.used_at).is_(None)


@dataclass(frozen=True)
class Link:
    """A link that opens still, and whom it is mailed to: by name where the address is known to be theirs."""

    mail_id: str
    purpose: Purpose
    expires_at: datetime
    email: str
    name: str | None


class MailQueries:
    """The links that are mailed, and who asks for them without being signed in."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_link(
        self, mail_id: str, user_id: str, purpose: Purpose, now: datetime, expires_at: datetime
    ) -> None:
        await self._connection.execute(
            insert(MailedLinkRow).values(
                mail_id=mail_id,
                user_id=user_id,
                purpose=purpose.value,
                created_at=now,
                expires_at=expires_at,
            )
        )

    async def open_link(self, mail_id: str, now: datetime) -> Link | None:
        """A link that was neither used nor has expired."""
        query = (
            select(
                col(MailedLinkRow.mail_id),
                col(MailedLinkRow.purpose),
                col(MailedLinkRow.expires_at),
                col(UserRow.email),
                # Anybody may register anybody's address, under any name: it is not ours to mail to them.
                case((col(UserRow.email_verified_at).is_not(None), col(UserRow.name))).label("name"),
            )
            .join(UserRow, col(UserRow.id) == col(MailedLinkRow.user_id))
            .where(col(MailedLinkRow.mail_id) == mail_id, _UNUSED, col(MailedLinkRow.expires_at) > now)
        )
        row = (await self._connection.execute(query)).first()
        if row is None:
            return None
        return Link(row.mail_id, Purpose(row.purpose), row.expires_at, row.email, row.name)

    async def use_link(self, mail_id: str, purpose: Purpose, now: datetime) -> bool:
        """Use a link that opens; of any number that try at once, one does."""
        used = await self._connection.execute(
            update(MailedLinkRow)
            .where(
                col(MailedLinkRow.mail_id) == mail_id,
                col(MailedLinkRow.purpose) == purpose.value,
                _UNUSED,
                col(MailedLinkRow.expires_at) > now,
            )
            .values(used_at=now)
        )
        return used.rowcount == 1

    async def close_links(self, user_id: str, purpose: Purpose, now: datetime) -> None:
        """None of an account's links for this opens any more."""
        await self._connection.execute(
            update(MailedLinkRow)
            .where(
                col(MailedLinkRow.user_id) == user_id,
                col(MailedLinkRow.purpose) == purpose.value,
                _UNUSED,
            )
            .values(used_at=now)
        )

    async def mailed_since(self, user_id: str, purpose: Purpose, since: datetime) -> bool:
        """Whether a link for this was mailed to the account after then."""
        query = select(col(MailedLinkRow.mail_id)).where(
            col(MailedLinkRow.user_id) == user_id,
            col(MailedLinkRow.purpose) == purpose.value,
            col(MailedLinkRow.created_at) > since,
        )
        return (await self._connection.execute(query.limit(1))).first() is not None

    async def request_reset(self, email: str, now: datetime, last: datetime) -> None:
        """Note that somebody forgot the password of an address, unless that was noted after `last`."""
        await self._connection.execute(
            upsert(ResetRequestRow)
            .values(email=email, requested_at=now, answered_at=None)
            .on_conflict_do_update(
                index_elements=[col(ResetRequestRow.email)],
                set_={"requested_at": now, "answered_at": None},
                where=col(ResetRequestRow.requested_at) <= last,
            )
        )

    async def take_reset_requests(self, now: datetime, limit: int) -> list[str]:
        """The addresses of requests that nobody has answered; they count as answered when this block ends."""
        waiting = (
            select(col(ResetRequestRow.email))
            .where(col(ResetRequestRow.answered_at).is_(None))
            .order_by(col(ResetRequestRow.requested_at))
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("waiting")
        )
        taken = await self._connection.execute(
            update(ResetRequestRow)
            .where(col(ResetRequestRow.email).in_(select(waiting.c.email)))
            .values(answered_at=now)
            .returning(col(ResetRequestRow.email))
        )
        return sorted(taken.scalars())

    async def forget(self, requests_before: datetime, links_before: datetime) -> int:
        """Drop answered requests and expired links that are older; answers how many.

        One that somebody is at stays for now: who locks many, in any order, must wait for none.
        """
        answered = (
            select(col(ResetRequestRow.email))
            .where(
                col(ResetRequestRow.answered_at).is_not(None),
                col(ResetRequestRow.requested_at) < requests_before,
            )
            .with_for_update(skip_locked=True)
        )
        expired = (
            select(col(MailedLinkRow.mail_id))
            .where(col(MailedLinkRow.expires_at) < links_before)
            .with_for_update(skip_locked=True)
        )
        requests = await self._connection.execute(
            delete(ResetRequestRow).where(col(ResetRequestRow.email).in_(answered))
        )
        links = await self._connection.execute(
            delete(MailedLinkRow).where(col(MailedLinkRow.mail_id).in_(expired))
        )
        return requests.rowcount + links.rowcount
