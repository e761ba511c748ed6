"""What the gateway's tests put around it: an issuer of tokens as auth is one."""

import json
import time
from typing import Any
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.types import Send


class Issuer:
    """Signs access tokens as auth does, and publishes its key as auth does."""

    def __init__(self, kid: str = "key-1") -> None:
        self.kid = kid
        self.key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})

    def jwks(self) -> bytes:
        return json.dumps({"keys": [self.key.as_dict(private=False)]}).encode()

    def header(self, **changes: Any) -> dict[str, Any]:
        return {"alg": "ES256", "kid": self.kid, "typ": "at+jwt"} | changes

    @staticmethod
    def claims(**changes: Any) -> dict[str, Any]:
        now = int(time.time())
        standard = {
            "iss": "micromart",
            "aud": "micromart",
            "sub": "user-1",
            "roles": ["customer"],
            "sid": "session-1",
            "iat": now,
            "nbf": now,
            "exp": now + 900,
            "jti": str(uuid4()),
        }
        return {name: value for name, value in (standard | changes).items() if value is not None}

    def token(self, **changes: Any) -> str:
        """A good token, but for the claims that are changed; None leaves one out."""
        return jwt.encode(self.header(), self.claims(**changes), self.key)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def answer(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    head = [(b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
