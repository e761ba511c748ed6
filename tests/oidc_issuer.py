"""Local OpenID providers for the tests: one as everybody runs it, and one that lies when told to."""

import asyncio
import base64
import hashlib
import json
import sys
import sysconfig
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp
from joserfc import jws
from joserfc.jwk import ECKey, KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.http_server import serving
from tests.polling import until
from tests.ports import free_port

MOCK = Path(sysconfig.get_path("scripts")) / "oidc-provider-mock"
Claims = dict[str, Any]
# A claim that is this is left out.
ABSENT = object()


@dataclass(frozen=True)
class OidcMock:
    """`oidc-provider-mock`, a process of its own."""

    url: str
    session: aiohttp.ClientSession

    async def knows(self, subject: str, **claims: object) -> None:
        """Have it know a user, or know them otherwise."""
        async with self.session.put(f"{self.url}/users/{subject}", json=claims) as answer:
            assert answer.status == 204

    async def signs_in(self, authorization_url: str, subject: str) -> str:
        """Where it sends the browser back to after the user has signed in there."""
        return await self._answered(authorization_url, {"sub": subject})

    async def denies(self, authorization_url: str) -> str:
        return await self._answered(authorization_url, {"action": "deny"})

    async def _answered(self, authorization_url: str, form: dict[str, str]) -> str:
        async with self.session.post(authorization_url, data=form, allow_redirects=False) as answer:
            assert answer.status == 302
            return answer.headers["location"]


@asynccontextmanager
async def running_oidc_mock() -> AsyncIterator[OidcMock]:
    """A provider on a free port, ended with the block."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(MOCK),
        "--port",
        str(port),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            mock = OidcMock(f"http://127.0.0.1:{port}", session)

            async def answers() -> bool:
                assert process.returncode is None, "the provider did not start"
                try:
                    async with session.get(f"{mock.url}/jwks") as answer:
                        return answer.status == 200
                except aiohttp.ClientConnectionError:
                    return False

            await until(answers)
            yield mock
    finally:
        process.kill()
        await process.wait()


def _unchanged(token: str) -> str:
    return token


@dataclass
class Issuer:
    """A provider of the test's own, that keeps to OpenID Connect but for what it is told to do wrong."""

    url: str = ""
    key: ECKey = field(default_factory=lambda: new_key())
    published: list[ECKey] | None = None
    extra_keys: list[Claims] = field(default_factory=list)
    metadata: Claims = field(default_factory=dict)
    claims: Claims = field(default_factory=dict)
    userinfo: Claims = field(default_factory=dict)
    # Rewrites the finished token, or answers the token request by itself.
    forge: Callable[[str], str] = _unchanged
    token_answer: Response | None = None
    asked: list[str] = field(default_factory=list)
    _requests: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def sign_in(self, authorization_url: str, code: str = "code") -> str:
        """The state of the request, which its user has agreed to under this code."""
        assert authorization_url.startswith(self.url + "/authorize?")
        self._requests[code] = parse_qs(urlsplit(authorization_url).query)
        return self._requests[code]["state"][0]

    def be_honest(self) -> None:
        """Lie no more."""
        self.claims, self.userinfo, self.token_answer, self.forge = {}, {}, None, _unchanged

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/jwks", self._jwks),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
            ]
        )

    async def _discovery(self, _: Request) -> Response:
        self.asked.append("discovery")
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            }
            | self.metadata
        )

    async def _jwks(self, _: Request) -> Response:
        self.asked.append("jwks")
        keys = KeySet(list(self.published or [self.key])).as_dict(private=False)["keys"]
        return JSONResponse({"keys": [*self.extra_keys, *keys]})

    async def _token(self, request: Request) -> Response:
        self.asked.append("token")
        if self.token_answer is not None:
            return self.token_answer
        form = dict(parse_qsl((await request.body()).decode()))
        begun = self._requests.pop(form["code"], None)
        if begun is None or not _proves(form["code_verifier"], begun["code_challenge"][0]):
            return JSONResponse({"error": "invalid_grant"}, 400)
        if (form["client_secret"], form["redirect_uri"]) != ("client-secret", begun["redirect_uri"][0]):
            return JSONResponse({"error": "invalid_client"}, 401)
        token = self.forge(self._id_token(begun["client_id"][0], begun["nonce"][0]))
        return JSONResponse({"access_token": "access", "token_type": "Bearer", "id_token": token})

    async def _userinfo(self, request: Request) -> Response:
        self.asked.append("userinfo")
        assert request.headers["authorization"] == "Bearer access"
        return JSONResponse(self.userinfo)

    def _id_token(self, client_id: str, nonce: str) -> str:
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": client_id,
            "sub": "ada",
            "nonce": nonce,
            "iat": now,
            "exp": now + 300,
            "email": "ada@example.com",
            "email_verified": True,
        }
        claims = {name: value for name, value in (usual | self.claims).items() if value is not ABSENT}
        header = {"alg": "ES256", "kid": self.key.kid}
        # As JSON may be written, and joserfc's own would not: with half a surrogate pair, if told so.
        return jws.serialize_compact(header, json.dumps(claims), self.key, algorithms=["ES256"])


@asynccontextmanager
async def serving_issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    async with serving(issuer.app()) as url:
        issuer.url = url
        yield issuer


def new_key() -> ECKey:
    return ECKey.generate_key("P-256", {"use": "sig"}, auto_kid=True)


def _proves(verifier: str, challenge: str) -> bool:
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    return digest.rstrip(b"=").decode() == challenge
