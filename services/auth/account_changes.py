"""What happens to an account, each with its event: in the caller's unit of work, under the account's lock."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

from contracts.auth import (
    EMAIL_VERIFICATION_REQUESTED,
    EMAIL_VERIFIED,
    PASSWORD_CHANGED,
    PASSWORD_RESET_REQUESTED,
    USER_REGISTERED,
    EmailVerified,
    MailRequested,
    PasswordChanged,
    UserRegistered,
)
from contracts.events import Event, EventData
from contracts.identity import Role
from services.auth.store import AuthTransaction, User
from services.auth.tables import Purpose, Revocation
from services.auth.throttle import Throttle

# An account is mailed a link of one kind at most this often, however often it is asked for.
MAILED_EVERY = timedelta(minutes=5)
_REQUESTED = {
    Purpose.RESET_PASSWORD: PASSWORD_RESET_REQUESTED,
    Purpose.VERIFY_EMAIL: EMAIL_VERIFICATION_REQUESTED,
}


@dataclass(frozen=True)
class LinkLifetimes:
    """How long a mailed link opens."""

    reset: timedelta = timedelta(hours=1)
    verification: timedelta = timedelta(days=7)

    def of(self, purpose: Purpose) -> timedelta:
        return self.reset if purpose is Purpose.RESET_PASSWORD else self.verification


@dataclass(frozen=True)
class AccountPolicy:
    """How often signing in to an account may fail, and how long the links open that it is mailed."""

    throttle: Throttle = field(default_factory=Throttle)
    links: LinkLifetimes = field(default_factory=LinkLifetimes)


async def open_account(tx: AuthTransaction, user: User, password_hash: str) -> bool:
    """Add the account, as the first that is told of it; False when its email has one already."""
    if not await tx.add_user(user, password_hash):
        return False
    data = UserRegistered(user_id=user.id, email=user.email, name=user.name, registered_at=user.created_at)
    await tx.emit([Event.of(USER_REGISTERED, subject=user.id, sequence=1, time=user.created_at, data=data)])
    return True


async def request_link(
    tx: AuthTransaction, user: User, purpose: Purpose, lifetimes: LinkLifetimes, now: datetime
) -> None:
    """Have a link mailed to the account's address."""
    mail_id = str(uuid4())
    await tx.mail.add_link(mail_id, user.id, purpose, now, now + lifetimes.of(purpose))
    await _tell(tx, user, _REQUESTED[purpose], MailRequested(user_id=user.id, mail_id=mail_id), now)


async def replace_password(
    tx: AuthTransaction,
    user: User,
    password_hash: str,
    reason: Revocation,
    now: datetime,
    *,
    proved: bool,
    except_session: str | None = None,
) -> None:
    """Give the account another password; what the old one opened, and links to reset it, open no more.

    It is proved where who chose it has shown that the account's address is theirs.
    """
    await tx.set_password(user.id, password_hash, proved=proved)
    await tx.mail.close_links(user.id, Purpose.RESET_PASSWORD, now)
    await tx.sessions.end_all(user.id, reason, now, except_session=except_session)
    await _tell(tx, user, PASSWORD_CHANGED, PasswordChanged(user_id=user.id, changed_at=now), now)


async def verify_email(tx: AuthTransaction, user: User, now: datetime) -> None:
    """Note that the account's mail reaches its owner; safe to repeat, told once."""
    if user.email_verified_at is not None:
        return
    await tx.verify_email(user.id, now)
    await tx.mail.close_links(user.id, Purpose.VERIFY_EMAIL, now)
    await _tell(tx, user, EMAIL_VERIFIED, EmailVerified(user_id=user.id, email=user.email), now)


async def hand_over(tx: AuthTransaction, user: User, owner: User, password_hash: str, now: datetime) -> User:
    """Give the account to the owner of its address, as if it were new: somebody else may have made it."""
    await replace_password(tx, user, password_hash, Revocation.ADDRESS_CLAIMED, now, proved=True)
    await verify_email(tx, user, now)
    await tx.set_name(user.id, owner.name)
    return replace(
        user, name=owner.name, email_verified_at=user.email_verified_at or now, password_proved=True
    )


async def change_roles(tx: AuthTransaction, user: User, roles: frozenset[Role], now: datetime) -> User:
    """Give the account these roles and no others; no session keeps the old ones, or gets the new ones."""
    await tx.set_roles(user.id, roles)
    await tx.sessions.end_all(user.id, Revocation.ROLES_CHANGED, now)
    return replace(user, roles=roles)


async def _tell(tx: AuthTransaction, user: User, event_type: str, data: EventData, now: datetime) -> None:
    sequence = await tx.next_event(user.id)
    await tx.emit([Event.of(event_type, subject=user.id, sequence=sequence, time=now, data=data)])
