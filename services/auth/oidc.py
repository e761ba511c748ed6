"""Signing in with an OpenID provider: the way there, and the way back."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr

from runtime.clock import Clock, utc_now
from runtime.settings import Settings
from services.auth.device import Device
from services.auth.errors import OidcProviderUnknown, OidcRefused, OidcStateInvalid
from services.auth.identities import Identities
from services.auth.oidc_flow import Flow, FlowSeal
from services.auth.oidc_http import provider_session
from services.auth.oidc_provider import Provider
from services.auth.refresh_answers import Tokens
from services.auth.sessions import Sessions

CALLBACK = "/v1/auth/oidc/{provider}/callback"


@dataclass(frozen=True)
class OidcAnswer:
    """What the browser brings back from the provider, as the provider wrote it into the address."""

    state: str | None = field(default=None, repr=False)
    code: SecretStr | None = None
    issuer: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Departure:
    """Where the browser goes to sign in, and what it keeps meanwhile."""

    authorization_url: str
    flow: SecretStr


class OidcSignIn:
    """The providers that are configured, and the sign-ins that go by way of them."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        identities: Identities,
        sessions: Sessions,
        seal: FlowSeal,
        clock: Clock = utc_now,
    ) -> None:
        self._providers = providers
        self._identities = identities
        self._sessions = sessions
        self._seal = seal
        self._clock = clock

    def labels(self) -> list[tuple[str, str]]:
        """Each provider's name, and what people call it."""
        return [(name, provider.label or name) for name, provider in sorted(self._providers.items())]

    async def depart(self, name: str) -> Departure:
        """Begin a sign-in; each call begins another."""
        provider = self._provider(name)
        flow = Flow.begun(name, self._clock())
        return Departure(await provider.authorization_url(flow), self._seal.seal(flow))

    async def arrive(self, name: str, answer: OidcAnswer, sealed: SecretStr | None, device: Device) -> Tokens:
        """Open a session for whom the provider vouches; not safe to repeat: its code is spent once."""
        provider = self._provider(name)
        flow = self._flow_of(name, answer, sealed)
        await provider.check_sender(answer.issuer)
        if answer.error is not None or answer.code is None:
            raise OidcRefused("the provider did not sign you in")
        person = await provider.vouched(answer.code, flow)
        return await self._sessions.open(await self._identities.account_of(person), device)

    def _provider(self, name: str) -> Provider:
        provider = self._providers.get(name)
        if provider is None:
            raise OidcProviderUnknown("there is no such provider to sign in with")
        return provider

    def _flow_of(self, name: str, answer: OidcAnswer, sealed: SecretStr | None) -> Flow:
        if sealed is None or answer.state is None:
            raise OidcStateInvalid("this sign-in was not begun in this browser: begin again")
        flow = self._seal.open(sealed)
        if not flow.ends_with(name, answer.state, self._clock()):
            raise OidcStateInvalid("this sign-in was not begun here or took too long: begin again")
        return flow


@asynccontextmanager
async def open_oidc(
    settings: Settings, identities: Identities, sessions: Sessions
) -> AsyncIterator[OidcSignIn]:
    """Sign-in by way of the settings' providers; they are first asked when somebody wants to."""
    public_url = settings.public_url.rstrip("/")
    async with provider_session() as connections:
        providers = {
            name: Provider(configured, connections, public_url + CALLBACK.format(provider=name))
            for name, configured in settings.oidc_providers.items()
        }
        yield OidcSignIn(providers, identities, sessions, FlowSeal(settings.secret("auth_key_secret")))
