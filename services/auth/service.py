"""Auth's use cases: the only way in."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from pydantic import SecretStr

from contracts.auth import USER_REGISTERED, PublicKey, UserRegistered
from contracts.errors import DomainError, Unauthenticated
from contracts.events import Event
from contracts.identity import Identity, Role
from runtime.clock import Clock, utc_now
from services.auth import rules
from services.auth.errors import BadCredentials, EmailTaken, InvalidRefreshToken, TokenReused
from services.auth.passwords import Passwords
from services.auth.signing import KeySeal, SealedKey, access_token
from services.auth.store import AuthStore, AuthTransaction, Session, User
from services.auth.tables import Revocation

_REFRESH_TOKEN_BYTES = 32


class Change(StrEnum):
    """What making sure of a user came to."""

    CREATED = "created"
    ROLES_ADDED = "roles_added"
    NONE = "none"


@dataclass(frozen=True)
class Tokens:
    """What a session's owner holds: a short-lived access token, and a refresh token to spend once."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int


class Accounts:
    """Who has an account: one for an email, its password known to nobody but its owner."""

    def __init__(self, store: AuthStore, passwords: Passwords, clock: Clock = utc_now) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock

    async def register(self, email: str, password: SecretStr, name: str | None = None) -> User:
        """Open a customer's account; a second one for the same email is refused with EmailTaken."""
        user, password_hash = await self._prepared(email, password, name, {Role.CUSTOMER})
        async with self._store.begin() as tx:
            if not await self._added(tx, user, password_hash):
                raise EmailTaken("this email has an account already")
            return user

    async def create_user(
        self, email: str, password: SecretStr, name: str | None, roles: Iterable[Role]
    ) -> tuple[User, Change]:
        """Make sure that an account has the roles; a known one keeps its password. Safe to repeat."""
        user, password_hash = await self._prepared(email, password, name, roles)
        async with self._store.begin() as tx:
            if await self._added(tx, user, password_hash):
                return user, Change.CREATED
            known = await tx.locked_user(user.email)
            if user.roles <= known.roles:
                return known, Change.NONE
            known = replace(known, roles=known.roles | user.roles)
            await tx.set_roles(known.id, known.roles)
            return known, Change.ROLES_ADDED

    async def authenticate(self, email: str, password: SecretStr) -> User:
        """The account that the credentials open; wrong ones cost the same time whether the email is known."""
        address = rules.normalised_email(email)
        password = rules.normalised_password(password)
        async with self._store.begin() as tx:
            known = await tx.credentials(address) if address is not None else None
        matches = await self._passwords.verify(known.password_hash if known else None, password)
        if known is None or not matches:
            raise BadCredentials("the email or the password is wrong")
        if self._passwords.outdated(known.password_hash):
            renewed = await self._passwords.hash(password)
            async with self._store.begin() as tx:
                await tx.renew_hash(known, renewed)
        return known.user

    async def user(self, user_id: str) -> User:
        """The account of a signed-in caller."""
        async with self._store.begin() as tx:
            found = await tx.user(user_id)
        if found is None:
            raise Unauthenticated("this account does not exist any more")
        return found

    async def users(self, limit: int) -> list[User]:
        """The newest accounts first."""
        async with self._store.begin() as tx:
            return await tx.users(limit)

    async def _prepared(
        self, email: str, password: SecretStr, name: str | None, roles: Iterable[Role]
    ) -> tuple[User, str]:
        user = User(
            id=str(uuid4()),
            email=rules.accepted_email(email),
            name=rules.accepted_name(name),
            roles=frozenset(roles),
            created_at=self._clock(),
        )
        return user, await self._passwords.hash(rules.accepted_password(password))

    async def _added(self, tx: AuthTransaction, user: User, password_hash: str) -> bool:
        added = await tx.add_user(user, password_hash)
        if added:
            data = UserRegistered(
                user_id=user.id, email=user.email, name=user.name, registered_at=user.created_at
            )
            event = Event.of(USER_REGISTERED, subject=user.id, sequence=1, time=user.created_at, data=data)
            await tx.emit([event])
        return added


class Sessions:
    """Who is signed in: one session a login, kept alive by refresh tokens that are spent once each."""

    def __init__(
        self,
        store: AuthStore,
        accounts: Accounts,
        seal: KeySeal,
        *,
        access_lifetime: timedelta,
        refresh_lifetime: timedelta,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._seal = seal
        self._access_lifetime = access_lifetime
        self._refresh_lifetime = refresh_lifetime
        self._clock = clock

    async def login(self, email: str, password: SecretStr) -> Tokens:
        """Open a session; each call opens another."""
        user = await self._accounts.authenticate(email, password)
        now = self._clock()
        session = Session(str(uuid4()), user)
        async with self._store.begin() as tx:
            await tx.open_session(session, now, now + self._refresh_lifetime)
            return await self._issued(tx, session, now)

    async def refresh(self, token: SecretStr) -> Tokens:
        """Spend a refresh token for new tokens; not safe to repeat: a second use ends the session."""
        now = self._clock()
        token_hash = rules.token_hash(token)
        async with self._store.begin() as tx:
            session = await tx.use_token(token_hash, now)
            if session is not None:
                return await self._issued(tx, session, now)
            refusal = await self._refusal_of(tx, token_hash, now)
        # Raised here and not inside the block, where it would roll the revocation back.
        raise refusal

    async def logout(self, caller: Identity) -> None:
        """End the session that the caller is signed in with; safe to repeat."""
        if caller.session is None:
            return
        async with self._store.begin() as tx:
            await tx.revoke(caller.session, caller.subject, Revocation.LOGGED_OUT, self._clock())

    async def public_keys(self) -> list[PublicKey]:
        """Every key that an access token of ours may be signed with."""
        async with self._store.begin() as tx:
            return [key.public for key in await self._keys(tx, self._clock())]

    async def ready(self) -> None:
        """Nothing, when the database answers and tokens can be signed."""
        async with self._store.begin() as tx:
            self._seal.open((await self._keys(tx, self._clock()))[0])

    async def _issued(self, tx: AuthTransaction, session: Session, now: datetime) -> Tokens:
        refresh_token = secrets.token_urlsafe(_REFRESH_TOKEN_BYTES)
        await tx.add_token(rules.token_hash(SecretStr(refresh_token)), session, now)
        key = self._seal.open((await self._keys(tx, now))[0])
        bearer = Identity(subject=session.user.id, roles=session.user.roles, session=session.id)
        return Tokens(
            access_token=access_token(key, bearer, now, self._access_lifetime),
            refresh_token=refresh_token,
            expires_in=int(self._access_lifetime.total_seconds()),
        )

    async def _refusal_of(self, tx: AuthTransaction, token_hash: bytes, now: datetime) -> DomainError:
        known = await tx.known_token(token_hash)
        if known is None or not known.used:
            return InvalidRefreshToken("this refresh token is not valid or its session has ended")
        await tx.revoke(known.session_id, known.user_id, Revocation.TOKEN_REUSED, now)
        return TokenReused("this refresh token was used before, so its session has ended: sign in again")

    async def _keys(self, tx: AuthTransaction, now: datetime) -> list[SealedKey]:
        """The signing keys, the one that signs first; the very first is made here."""
        if keys := await tx.keys():
            return keys
        await tx.lock_keys()
        if keys := await tx.keys():
            return keys
        await tx.add_key(first := self._seal.new_key(), now)
        return [first]
