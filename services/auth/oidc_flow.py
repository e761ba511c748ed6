"""A sign-in that has left for its provider: held by the browser that began it, and readable to us alone."""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from services.auth.errors import OidcStateInvalid
from services.auth.sealing import NotSealed, Seal

LIFETIME = timedelta(minutes=10)
_RANDOM_BYTES = 32


class Flow(BaseModel):
    """What ties the provider's answer to the browser that asked, and to nothing else."""

    model_config = ConfigDict(frozen=True)

    provider: str
    state: str = Field(repr=False)
    nonce: str = Field(repr=False)
    verifier: str = Field(repr=False)
    expires_at: datetime

    @classmethod
    def begun(cls, provider: str, now: datetime) -> Self:
        state, nonce, verifier = (secrets.token_urlsafe(_RANDOM_BYTES) for _ in range(3))
        return cls(provider=provider, state=state, nonce=nonce, verifier=verifier, expires_at=now + LIFETIME)

    def ends_with(self, provider: str, state: str, now: datetime) -> bool:
        """Whether an answer with this state, from this provider, is the one that is waited for."""
        matches = secrets.compare_digest(self.state.encode(), state.encode("utf-8", "surrogatepass"))
        return matches and self.provider == provider and now < self.expires_at


class FlowSeal:
    """Seals a flow into a cookie's value, so that neither script nor user reads the verifier in it."""

    def __init__(self, secret: str) -> None:
        self._seal = Seal(secret, "oidc-flows")

    def seal(self, flow: Flow) -> SecretStr:
        sealed = self._seal.seal(flow.model_dump_json().encode())
        return SecretStr(base64.urlsafe_b64encode(sealed).decode().rstrip("="))

    def open(self, sealed: SecretStr) -> Flow:
        """The flow as it was sealed; OidcStateInvalid for what we did not seal."""
        try:
            value = sealed.get_secret_value()
            raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
            return Flow.model_validate_json(self._seal.open(raw))
        except (NotSealed, ValueError) as error:
            raise OidcStateInvalid("this sign-in was not begun in this browser: begin again") from error
