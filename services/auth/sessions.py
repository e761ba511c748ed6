"""Who is signed in: sessions, and the refresh tokens that they are kept alive with."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from pydantic import SecretStr

from contracts.auth import ENDED_SESSIONS_KEPT_SECONDS, EndedSession, EndedSessions
from contracts.errors import DomainError
from contracts.identity import Identity
from runtime.clock import Clock, utc_now
from services.auth import rules
from services.auth.accounts import Accounts
from services.auth.device import Device
from services.auth.errors import BadCredentials, InvalidRefreshToken, SessionUnknown, TokenReused
from services.auth.keys import MARGIN, SigningKeys
from services.auth.refresh_answers import AnswerSeal, Tokens
from services.auth.refresh_token_store import PresentedToken
from services.auth.session_store import Session
from services.auth.signing import access_token
from services.auth.store import AuthStore, AuthTransaction, User
from services.auth.tables import Revocation

_REFRESH_TOKEN_BYTES = 32
_UNKNOWN = Device()
_NOT_YOURS = "you have no such session"


@dataclass(frozen=True)
class Lifetimes:
    """How long an access token holds, an unused session, any session, and a spent token's answer."""

    access: timedelta
    refresh: timedelta
    session: timedelta
    grace: timedelta


class Sessions:
    """Who is signed in: one session a login, kept alive by refresh tokens that are spent once each."""

    def __init__(
        self,
        store: AuthStore,
        accounts: Accounts,
        keys: SigningKeys,
        answers: AnswerSeal,
        lifetimes: Lifetimes,
        clock: Clock = utc_now,
        *,
        per_account: int = 100,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._keys = keys
        self._answers = answers
        self._lifetimes = lifetimes
        self._clock = clock
        self._per_account = per_account

    async def login(self, email: str, password: SecretStr, device: Device = _UNKNOWN) -> Tokens:
        """Open a session for who has the password; each call opens another, one too many ends an old one."""
        known = await self._accounts.credentials(email, password, device.address)
        return await self._opened(known.user, device, known.password_hash)

    async def open(self, user: User, device: Device = _UNKNOWN) -> Tokens:
        """The same for a user who has proved otherwise that it is them."""
        return await self._opened(user, device)

    async def _opened(self, user: User, device: Device, password_hash: str | None = None) -> Tokens:
        now = self._clock()
        ends_at = now + self._lifetimes.session
        session = Session(
            id=str(uuid4()),
            user_id=user.id,
            created_at=now,
            last_used_at=now,
            expires_at=min(now + self._lifetimes.refresh, ends_at),
            ends_at=ends_at,
            address=device.address,
            user_agent=device.user_agent,
            of_staff=user.is_staff,
        )
        async with self._store.begin() as tx:
            # Of sign-ins at once each counts those before it.
            current = await tx.locked_credentials(user.id)
            # Who changes password or roles ends all sessions: none may open behind that with the old ones.
            if (
                current is None
                or current.user.roles != user.roles
                or (password_hash is not None and current.password_hash != password_hash)
            ):
                raise BadCredentials("the email or the password is wrong")
            await tx.sessions.open(session)
            await tx.sessions.end_beyond(user.id, self._per_account, Revocation.TOO_MANY, now)
            return await self._issued(tx, session, user, now)

    async def refresh(self, token: SecretStr) -> Tokens:
        """Spend a refresh token for new tokens.

        Safe to repeat within the grace, where it answers the same again; a use after it ends the session.
        """
        token_hash = rules.token_hash(token)
        async with self._store.begin() as tx:
            presented = await tx.refresh_tokens.presented(token_hash)
            # Read once the token is ours: whoever had to wait for it comes later than who spent it.
            now = self._clock()
            if presented is not None and presented.used_at is None and _is_open(presented, now):
                return await self._spent(tx, token, token_hash, presented.session, now)
            if presented is not None and (again := self._answer_again(token, presented, now)) is not None:
                return again
            refusal = await self._refusal_of(tx, presented, now)
        # Raised here and not inside the block, where it would roll the revocation back.
        raise refusal

    async def logout(self, caller: Identity) -> None:
        """End the session that the caller is signed in with; safe to repeat."""
        if caller.session is None:
            return
        async with self._store.begin() as tx:
            await tx.sessions.end(caller.session, caller.subject, Revocation.LOGGED_OUT, self._clock())

    async def logout_everywhere(self, caller: Identity) -> None:
        """End every session of the caller, the one that asks too; safe to repeat."""
        async with self._store.begin() as tx:
            await tx.sessions.end_all(caller.subject, Revocation.LOGGED_OUT, self._clock())

    async def end(self, caller: Identity, session_id: str) -> None:
        """End one of the caller's sessions, SessionUnknown where it is not theirs; safe to repeat."""
        # The database takes no text with a null byte; no id of ours has one.
        if not session_id.isprintable():
            raise SessionUnknown(_NOT_YOURS)
        async with self._store.begin() as tx:
            now = self._clock()
            if not await tx.sessions.end(session_id, caller.subject, Revocation.ENDED_BY_OWNER, now):
                raise SessionUnknown(_NOT_YOURS)

    async def open_of(
        self, caller: Identity, limit: int, after: tuple[datetime, str] | None = None
    ) -> list[Session]:
        """The caller's open sessions, the newest first, from a position on."""
        async with self._store.begin() as tx:
            return await tx.sessions.open_of(caller.subject, self._clock(), limit, after)

    async def ended(
        self, after: datetime | None, limit: int | None = None, position: tuple[datetime, str] | None = None
    ) -> EndedSessions:
        """The sessions that ended since then, from a position on, and keys retired lately; safe to repeat.

        As far back as anything opens by them: a cookie by the staff's for hours, by others an access token.
        """
        now = self._clock()
        oldest = now - timedelta(seconds=ENDED_SESSIONS_KEPT_SECONDS)
        async with self._store.begin() as tx:
            ended = await tx.sessions.ended_since(
                max(after, oldest) if after is not None else oldest,
                used_after=now - self._lifetimes.access - MARGIN,
                limit=limit,
                position=position,
            )
            # All of them each time: they are few, and dated by the clock of whoever retires them.
            retired_keys = await tx.signing_keys.retired_since(oldest)
        return EndedSessions(
            items=tuple(EndedSession(session=session, ended_at=at) for session, at in ended),
            now=now,
            retired_keys=retired_keys,
        )

    async def _spent(
        self, tx: AuthTransaction, token: SecretStr, token_hash: bytes, session: Session, now: datetime
    ) -> Tokens:
        user = await tx.user(session.user_id)
        assert user is not None, "a session is somebody's"
        expires_at = min(now + self._lifetimes.refresh, session.ends_at)
        session = replace(session, last_used_at=now, expires_at=expires_at)
        tokens = await self._issued(tx, session, user, now)
        await tx.refresh_tokens.spend(token_hash, self._answers.seal(token, tokens), now)
        await tx.sessions.prolong(session)
        return tokens

    async def _issued(self, tx: AuthTransaction, session: Session, user: User, now: datetime) -> Tokens:
        refresh_token = secrets.token_urlsafe(_REFRESH_TOKEN_BYTES)
        await tx.refresh_tokens.add(rules.token_hash(SecretStr(refresh_token)), session, now)
        # No access token outlives its session.
        lifetime = min(self._lifetimes.access, session.ends_at - now)
        bearer = Identity(subject=user.id, roles=user.roles, session=session.id)
        return Tokens(
            access_token=access_token(await self._keys.signer(tx, now), bearer, now, lifetime),
            refresh_token=refresh_token,
            expires_in=int(lifetime.total_seconds()),
        )

    def _answer_again(self, token: SecretStr, presented: PresentedToken, now: datetime) -> Tokens | None:
        """What the first use was answered with, while the grace lasts and the session does."""
        if presented.answer is None or presented.used_at is None or not _is_open(presented, now):
            return None
        if now - presented.used_at >= self._lifetimes.grace:
            return None
        return self._answers.open(token, presented.answer)

    async def _refusal_of(
        self, tx: AuthTransaction, presented: PresentedToken | None, now: datetime
    ) -> DomainError:
        if presented is None or presented.used_at is None:
            return InvalidRefreshToken("this refresh token is not valid or its session has ended")
        session = presented.session
        await tx.sessions.end(session.id, session.user_id, Revocation.TOKEN_REUSED, now)
        return TokenReused("this refresh token was used before, so its session has ended: sign in again")


def _is_open(presented: PresentedToken, now: datetime) -> bool:
    return not presented.ended and presented.session.expires_at > now
