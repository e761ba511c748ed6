"""Puts auth together: the one place that knows which parts it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from runtime.database import Database
from runtime.migrations import upgrade
from runtime.settings import Settings
from services.auth.account_changes import AccountPolicy, LinkLifetimes
from services.auth.accounts import Accounts
from services.auth.api_keys import ApiKeys
from services.auth.identities import Identities
from services.auth.keys import SigningKeys
from services.auth.mailed_links import LinkTokens, MailedLinks
from services.auth.oidc import OidcSignIn, open_oidc
from services.auth.passwords import Passwords
from services.auth.pruning import SessionPruning
from services.auth.refresh_answers import AnswerSeal
from services.auth.reset_requests import ResetRequests
from services.auth.sessions import Lifetimes, Sessions
from services.auth.signing import KeySeal
from services.auth.staff_actions import StaffActions
from services.auth.store import AuthStore
from services.auth.throttle import Throttle

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Auth:
    """The parts of the service, over one database."""

    accounts: Accounts
    sessions: Sessions
    keys: SigningKeys
    api_keys: ApiKeys
    staff_actions: StaffActions
    oidc: OidcSignIn
    links: MailedLinks
    reset_requests: ResetRequests


@asynccontextmanager
async def open_accounts(settings: Settings) -> AsyncIterator[Accounts]:
    """The accounts alone, closed at the end: whoever manages users needs no key that signs tokens."""
    async with _open_store(settings) as store:
        with Passwords() as passwords:
            yield Accounts(store, passwords)


@asynccontextmanager
async def open_auth(settings: Settings) -> AsyncIterator[Auth]:
    """The service over its own database, closed at the end."""
    secret = settings.secret("auth_key_secret")
    async with _open_store(settings) as store:
        with Passwords() as passwords:
            policy = _policy(settings)
            accounts = Accounts(store, passwords, policy=policy)
            keys = _keys(store, settings)
            sessions = Sessions(
                store,
                accounts,
                keys,
                AnswerSeal(secret),
                _lifetimes(settings),
                per_account=settings.sessions_per_account,
            )
            async with open_oidc(settings, Identities(store, passwords), sessions) as oidc:
                yield Auth(
                    accounts,
                    sessions,
                    keys,
                    api_keys=ApiKeys(store),
                    staff_actions=StaffActions(store),
                    oidc=oidc,
                    links=MailedLinks(store, passwords, LinkTokens(secret), policy=policy),
                    reset_requests=ResetRequests(store, lifetimes=policy.links),
                )


@asynccontextmanager
async def open_keys(settings: Settings) -> AsyncIterator[SigningKeys]:
    """The signing keys alone, closed at the end."""
    async with _open_store(settings) as store:
        yield _keys(store, settings)


@asynccontextmanager
async def open_api_keys(settings: Settings) -> AsyncIterator[ApiKeys]:
    """The machines' keys alone, closed at the end."""
    async with _open_store(settings) as store:
        yield ApiKeys(store)


@asynccontextmanager
async def open_staff_actions(settings: Settings) -> AsyncIterator[StaffActions]:
    """The staff's trail alone, closed at the end."""
    async with _open_store(settings) as store:
        yield StaffActions(store)


@asynccontextmanager
async def open_reset_requests(settings: Settings) -> AsyncIterator[ResetRequests]:
    """What the worker answers, closed at the end; it needs no secret."""
    async with _open_store(settings) as store:
        yield ResetRequests(store, lifetimes=_policy(settings).links)


@asynccontextmanager
async def open_session_pruning(settings: Settings) -> AsyncIterator[SessionPruning]:
    """What the worker prunes, closed at the end; it needs no secret."""
    async with _open_store(settings) as store:
        yield SessionPruning(store, grace=_lifetimes(settings).grace)


def _policy(settings: Settings) -> AccountPolicy:
    return AccountPolicy(
        Throttle(
            per_account=settings.sign_in_failures_per_account,
            per_address=settings.sign_in_failures_per_address,
            per_day=settings.sign_in_failures_per_day,
        ),
        LinkLifetimes(
            reset=timedelta(seconds=settings.password_reset_seconds),
            verification=timedelta(seconds=settings.email_verification_seconds),
        ),
    )


def _keys(store: AuthStore, settings: Settings) -> SigningKeys:
    seal = KeySeal(settings.secret("auth_key_secret"))
    return SigningKeys(store, seal, access_lifetime=_lifetimes(settings).access)


def _lifetimes(settings: Settings) -> Lifetimes:
    return Lifetimes(
        access=timedelta(seconds=settings.access_token_seconds),
        refresh=timedelta(seconds=settings.refresh_token_seconds),
        session=timedelta(seconds=settings.session_seconds),
        grace=timedelta(seconds=settings.refresh_grace_seconds),
    )


@asynccontextmanager
async def _open_store(settings: Settings) -> AsyncIterator[AuthStore]:
    database = Database(settings.database_url("auth"), pool_size=settings.database_pool_size)
    try:
        yield AuthStore(database)
    finally:
        await database.dispose()


async def migrate(settings: Settings) -> list[str]:
    """Bring auth's database up to date; safe to repeat."""
    return await upgrade(MIGRATIONS, settings.database_url("auth"))
