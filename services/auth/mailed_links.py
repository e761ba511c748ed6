"""What is done by a link that was mailed: a forgotten password is set anew, an address verified."""

import base64
import hashlib
import hmac

from pydantic import SecretStr

from contracts.auth import MailedToken
from contracts.errors import Unauthenticated
from contracts.identity import Identity
from runtime.clock import Clock, utc_now
from services.auth import rules
from services.auth.account_changes import (
    MAILED_EVERY,
    AccountPolicy,
    replace_password,
    request_link,
    verify_email,
)
from services.auth.errors import LinkClosed, LinkInvalid
from services.auth.mail_store import Link
from services.auth.passwords import Passwords
from services.auth.sealing import derived_key
from services.auth.store import AuthStore
from services.auth.tables import Purpose, Revocation
from services.auth.throttle import AttemptKeys

_INVALID = "this link is not valid, was used or has expired: ask for another"


class LinkTokens:
    """The secret of a link, made from its id: it is stored nowhere, and nobody without our key makes one."""

    def __init__(self, secret: str) -> None:
        self._key = derived_key(secret, "mailed-links")

    def token(self, mail_id: str, purpose: Purpose) -> SecretStr:
        """The same for a link however often it is asked for; none opens for another purpose."""
        mac = hmac.new(self._key, f"{purpose}:{mail_id}".encode(), hashlib.sha256).digest()
        return SecretStr(f"{mail_id}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")

    def mail_id(self, token: SecretStr, purpose: Purpose) -> str:
        """The link's id, or LinkInvalid for what we never made for this purpose."""
        given = token.get_secret_value()
        mail_id = given.partition(".")[0]
        if not given.isascii() or not hmac.compare_digest(
            given, self.token(mail_id, purpose).get_secret_value()
        ):
            raise LinkInvalid(_INVALID)
        return mail_id


class MailedLinks:
    """What is asked for, mailed and opened without a password."""

    def __init__(
        self,
        store: AuthStore,
        passwords: Passwords,
        tokens: LinkTokens,
        clock: Clock = utc_now,
        policy: AccountPolicy = AccountPolicy(),  # noqa: B008 - it is frozen
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._tokens = tokens
        self._clock = clock
        self._policy = policy

    async def reset(self, token: SecretStr, password: SecretStr, address: str | None = None) -> None:
        """Give the link's account another password and end its sessions; a link does that once."""
        link = await self._opened(token, Purpose.RESET_PASSWORD)
        password_hash = await self._passwords.hash(rules.accepted_password(password, link.email))
        async with self._store.begin() as tx:
            # The account first, then its links: so does everybody who changes both.
            user = await tx.locked_user(link.email)
            now = self._clock()
            if not await tx.mail.use_link(link.mail_id, link.purpose, now):
                raise LinkInvalid(_INVALID)
            await replace_password(tx, user, password_hash, Revocation.PASSWORD_RESET, now, proved=True)
            await verify_email(tx, user, now)
            await self._policy.throttle.lift(tx, AttemptKeys.of(user.email, address), now)

    async def send_verification(self, caller: Identity) -> None:
        """Mail the caller another link that verifies the address, unless it is or one is on its way.

        Safe to repeat.
        """
        async with self._store.begin() as tx:
            current = await tx.locked_credentials(caller.subject)
            if current is None:
                raise Unauthenticated("this account does not exist any more")
            user, now = current.user, self._clock()
            if user.email_verified_at is not None:
                return
            if not await tx.mail.mailed_since(user.id, Purpose.VERIFY_EMAIL, now - MAILED_EVERY):
                await request_link(tx, user, Purpose.VERIFY_EMAIL, self._policy.links, now)

    async def verify(self, token: SecretStr, caller: Identity | None = None) -> None:
        """Note that the link's account is reached by its address; a link does that once."""
        link = await self._opened(token, Purpose.VERIFY_EMAIL)
        async with self._store.begin() as tx:
            user = await tx.locked_user(link.email)
            now = self._clock()
            if not await tx.mail.use_link(link.mail_id, link.purpose, now):
                raise LinkInvalid(_INVALID)
            await verify_email(tx, user, now)
            # Who opens it while signed in has both the mail and the password; else they may be two people.
            if caller is not None and caller.subject == user.id:
                await tx.prove_password(user.id)

    async def token_of(self, mail_id: str) -> MailedToken:
        """A link's secret and whom to mail it to, or LinkClosed when it opens nothing any more."""
        async with self._store.begin() as tx:
            link = await tx.mail.open_link(mail_id, self._clock())
        if link is None:
            raise LinkClosed("this link was used or has expired")
        return MailedToken(
            token=self._tokens.token(link.mail_id, link.purpose),
            email=link.email,
            name=link.name,
            expires_at=link.expires_at,
        )

    async def _opened(self, token: SecretStr, purpose: Purpose) -> Link:
        mail_id = self._tokens.mail_id(token, purpose)
        async with self._store.begin() as tx:
            link = await tx.mail.open_link(mail_id, self._clock())
        if link is None:
            raise LinkInvalid(_INVALID)
        return link
