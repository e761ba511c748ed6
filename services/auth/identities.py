"""Whose account a provider's word opens: linked once, by an address that the provider has made sure of."""

import secrets
from dataclasses import dataclass
from uuid import uuid4

from pydantic import SecretStr

from contracts.errors import Unauthenticated
from contracts.identity import Role
from runtime.clock import Clock, utc_now
from services.auth import rules
from services.auth.account_changes import hand_over, open_account
from services.auth.errors import InvalidName, OidcAccountProtected, OidcEmailUnverified
from services.auth.passwords import Passwords
from services.auth.store import AuthStore, AuthTransaction, User

_NOBODYS_PASSWORD_BYTES = 32


@dataclass(frozen=True)
class Vouched:
    """Somebody, as their provider knows them."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str | None


class Identities:
    """Accounts by the provider's users that sign in to them."""

    def __init__(self, store: AuthStore, passwords: Passwords, clock: Clock = utc_now) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock

    async def account_of(self, person: Vouched) -> User:
        """The account of a provider's user; the first time, the one of their address, or a new one.

        Safe to repeat: of any number that come first at once, one links and the others find its link.
        """
        async with self._store.begin() as tx:
            if (known := await self._linked(tx, person)) is not None:
                return known
        newcomer = self._newcomer(person)
        # Outside the transaction: it takes long, and other people's rows are locked in there.
        nobodys = await self._passwords.hash(SecretStr(secrets.token_urlsafe(_NOBODYS_PASSWORD_BYTES)))
        async with self._store.begin() as tx:
            await tx.identities.lock(person.issuer, person.subject)
            if (known := await self._linked(tx, person)) is not None:
                return known
            user = await self._opened_or_claimed(tx, newcomer, nobodys)
            await tx.identities.link(person.issuer, person.subject, user.id, self._clock())
            return user

    async def _linked(self, tx: AuthTransaction, person: Vouched) -> User | None:
        user_id = await tx.identities.user_id(person.issuer, person.subject)
        if user_id is None:
            return None
        user = await tx.user(user_id)
        if user is None:
            raise Unauthenticated("this account does not exist any more")
        return _no_staffs(user)

    def _newcomer(self, person: Vouched) -> User:
        """The account that is opened when the address has none yet."""
        email = rules.normalised_email(person.email) if person.email is not None else None
        if email is None or not person.email_verified:
            raise OidcEmailUnverified("the provider has not verified your email address")
        now = self._clock()
        return User(
            id=str(uuid4()),
            email=email,
            name=_name(person.name),
            roles=frozenset({Role.CUSTOMER}),
            created_at=now,
            email_verified_at=now,
            password_proved=True,
        )

    async def _opened_or_claimed(self, tx: AuthTransaction, newcomer: User, nobodys: str) -> User:
        if await open_account(tx, newcomer, nobodys):
            return newcomer
        known = _no_staffs(await tx.locked_user(newcomer.email))
        if known.password_proved:
            return known
        # Whoever registered it never showed that the address is theirs; they may have waited for its owner.
        return await hand_over(tx, known, newcomer, nobodys, newcomer.created_at)


def _no_staffs(user: User) -> User:
    """The account, unless it is one that a password alone opens: linked or not, whatever it was before."""
    if user.is_staff:
        raise OidcAccountProtected("this account is signed in to with its password")
    return user


def _name(given: str | None) -> str | None:
    """The provider's name for them where it is one for us; it is not worth refusing anybody for."""
    try:
        return rules.accepted_name(given)
    except InvalidName:
        return None
