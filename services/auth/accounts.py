"""Who has an account, and what proves that it is theirs."""

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from uuid import uuid4

from pydantic import SecretStr

from contracts.errors import Unauthenticated
from contracts.identity import Identity, Role
from runtime.clock import Clock, utc_now
from services.auth import rules
from services.auth.account_changes import (
    AccountPolicy,
    change_roles,
    hand_over,
    open_account,
    replace_password,
    request_link,
)
from services.auth.errors import BadCredentials, EmailTaken, SessionEnded, UserUnknown, WrongPassword
from services.auth.passwords import Passwords
from services.auth.store import AuthStore, AuthTransaction, Credentials, User
from services.auth.tables import Purpose, Revocation
from services.auth.throttle import AttemptKeys

_NOT_YOUR_PASSWORD = "this is not your password"  # noqa: S105 - a refusal's words


class Change(StrEnum):
    """What making sure of a user's roles came to."""

    CREATED = "created"
    ROLES_ADDED = "roles_added"
    HANDED_OVER = "handed_over"
    ROLES_TAKEN = "roles_taken"
    NONE = "none"


class Accounts:
    """Who has an account: one for an email, its password known to nobody but its owner."""

    def __init__(
        self,
        store: AuthStore,
        passwords: Passwords,
        clock: Clock = utc_now,
        policy: AccountPolicy = AccountPolicy(),  # noqa: B008 - it is frozen
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock
        self._policy = policy

    async def register(self, email: str, password: SecretStr, name: str | None = None) -> User:
        """Open a customer's account and ask its address; a second one for an email is refused: EmailTaken."""
        user = self._newcomer(email, name, {Role.CUSTOMER})
        password_hash = await self._passwords.hash(rules.accepted_password(password, user.email))
        async with self._store.begin() as tx:
            if not await open_account(tx, user, password_hash):
                raise EmailTaken("this email has an account already")
            await request_link(tx, user, Purpose.VERIFY_EMAIL, self._policy.links, user.created_at)
            return user

    async def create_user(
        self, email: str, password: SecretStr, name: str | None, roles: Iterable[Role]
    ) -> tuple[User, Change]:
        """Make sure that an account has the roles; the operator answers for its address. Safe to repeat.

        A known one keeps its password, unless it is to be the staff's and nobody knows whose password it is:
        then it is handed over to who was given this one.
        """
        owner = self._newcomer(email, name, roles)
        owner = replace(owner, email_verified_at=owner.created_at, password_proved=True)
        password_hash = await self._passwords.hash(rules.accepted_password(password, owner.email))
        async with self._store.begin() as tx:
            if await open_account(tx, owner, password_hash):
                return owner, Change.CREATED
            known, change, now = await tx.locked_user(owner.email), Change.NONE, self._clock()
            if owner.is_staff and not known.password_proved:
                known, change = await hand_over(tx, known, owner, password_hash, now), Change.HANDED_OVER
            if not owner.roles <= known.roles:
                known = await change_roles(tx, known, known.roles | owner.roles, now)
                change = Change.ROLES_ADDED if change is Change.NONE else change
            return known, change

    async def demote(self, email: str, roles: Iterable[Role]) -> tuple[User, Change]:
        """Take roles from an account, which stays a customer's, and end its sessions. Safe to repeat."""
        async with self._store.begin() as tx:
            known = await self._known(tx, email)
            left = known.roles.difference(roles) or frozenset({Role.CUSTOMER})
            if left == known.roles:
                return known, Change.NONE
            return await change_roles(tx, known, left, self._clock()), Change.ROLES_TAKEN

    async def sign_out(self, email: str) -> tuple[User, int]:
        """End every session of an account; answers how many were open. Safe to repeat."""
        async with self._store.begin() as tx:
            known = await self._known(tx, email)
            return known, await tx.sessions.end_all(known.id, Revocation.SIGNED_OUT, self._clock())

    async def authenticate(self, email: str, password: SecretStr, address: str | None = None) -> User:
        """The account that the credentials open; neither the answer nor its cost tells a known email.

        TooManyAttempts when they were wrong too often, for the account or from the address.
        """
        return (await self.credentials(email, password, address)).user

    async def credentials(self, email: str, password: SecretStr, address: str | None = None) -> Credentials:
        """As authenticate, with the hash that was found to be the password's."""
        known = await self._proved(email, password, address)
        if known is None:
            raise BadCredentials("the email or the password is wrong")
        if self._passwords.outdated(known.password_hash):
            renewed = await self._passwords.hash(rules.normalised_password(password))
            async with self._store.begin() as tx:
                is_renewed = await tx.renew_hash(known, renewed)
            # Somebody else was faster: what holds now is looked at anew.
            return (
                replace(known, password_hash=renewed)
                if is_renewed
                else await self.credentials(email, password, address)
            )
        return known

    async def change_password(
        self, caller: Identity, current: SecretStr, new: SecretStr, address: str | None = None
    ) -> None:
        """Give the caller's account another password and end its other sessions.

        Not safe to repeat: what was the password is refused from then on.
        """
        user = await self.user(caller.subject)
        accepted = rules.accepted_password(new, user.email)
        known = await self._proved(user.email, current, address)
        if known is None:
            raise WrongPassword(_NOT_YOUR_PASSWORD)
        password_hash = await self._passwords.hash(accepted)
        async with self._store.begin() as tx:
            # Much may have happened since it was verified: a reset, above all, is not to be undone by this.
            account, now = await tx.locked_credentials(user.id), self._clock()
            if caller.session is None or not await tx.sessions.is_open(caller.session, user.id, now):
                raise SessionEnded("this session has ended: sign in again")
            if account is None or account.password_hash != known.password_hash:
                raise WrongPassword(_NOT_YOUR_PASSWORD)
            await replace_password(
                tx,
                account.user,
                password_hash,
                Revocation.PASSWORD_CHANGED,
                now,
                # Whoever knew the old one chose the new one.
                proved=account.user.password_proved,
                except_session=caller.session,
            )

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

    async def _proved(self, email: str, password: SecretStr, address: str | None) -> Credentials | None:
        """The account whose password it is; the attempt is counted before anything is looked at."""
        self._passwords.ensure_room()
        keys = AttemptKeys.of(email, address)
        async with self._store.begin() as tx:
            attempt = await self._policy.throttle.attempt(tx, keys, self._clock())
            # What is no address is looked up too: nobody has the empty one.
            known = await tx.credentials(rules.normalised_email(email) or "")
        matches = await self._passwords.verify(
            known.password_hash if known else None, rules.normalised_password(password)
        )
        if known is None or not matches:
            return None
        async with self._store.begin() as tx:
            await self._policy.throttle.succeeded(tx, attempt, self._clock())
        return known

    async def _known(self, tx: AuthTransaction, email: str) -> User:
        known = await tx.credentials(rules.normalised_email(email) or "")
        if known is None:
            raise UserUnknown("nobody has an account with this email")
        return await tx.locked_user(known.user.email)

    def _newcomer(self, email: str, name: str | None, roles: Iterable[Role]) -> User:
        return User(
            id=str(uuid4()),
            email=rules.accepted_email(email),
            name=rules.accepted_name(name),
            roles=frozenset(roles),
            created_at=self._clock(),
        )
