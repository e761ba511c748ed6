"""Access tokens that must open nothing, by what is wrong with them; an issuer's own key signed many."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jwe, jws, jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from api.gateway.tokens import LONGEST_TOKEN
from tests.gateway_peers import Issuer

# Signs headers too that no honest issuer writes.
_LENIENT = jws.JWSRegistry(strict_check_header=False)

Forgery = Callable[[Issuer], str]


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def segment(value: object) -> str:
    return encoded(json.dumps(value).encode())


def signed(issuer: Issuer, payload: bytes, **header: Any) -> str:
    """Any payload under the issuer's own signature: what is wrong is inside."""
    return jws.serialize_compact(issuer.header(**header), payload, issuer.key, registry=_LENIENT)


def claims_of(issuer: Issuer, name: str, raw: str) -> str:
    """A token of the issuer's whose claim is written so in its JSON."""
    rest = json.dumps(issuer.claims(**{name: None}))
    return signed(issuer, f'{rest[:-1]}, "{name}": {raw}}}'.encode())


def with_header(issuer: Issuer, **changes: object) -> str:
    """A good token whose header was exchanged, signature and all else kept."""
    _, payload, signature = issuer.token().split(".")
    return f"{segment(issuer.header(**changes))}.{payload}.{signature}"


def without(issuer: Issuer, name: str) -> str:
    return signed(issuer, json.dumps(issuer.claims(**{name: None})).encode())


def _signed_by(issuer: Issuer, key: Any, alg: str) -> str:
    return jwt.encode(issuer.header(alg=alg), issuer.claims(), key, algorithms=[alg])


def _hmac_with_the_public_key(issuer: Issuer) -> str:
    public = OctKey.import_key(json.dumps(issuer.key.as_dict(private=False)))
    return _signed_by(issuer, public, "HS256")


def _hmac_with_the_public_pem(issuer: Issuer) -> str:
    """The classic: the key that verifies is known to all, and stands for a shared secret."""
    message = f"{segment(issuer.header(alg='HS256'))}.{segment(issuer.claims(roles=['admin']))}"
    key = issuer.key.as_pem(private=False)
    return f"{message}.{encoded(hmac.new(key, message.encode(), hashlib.sha256).digest())}"


def _promoted(issuer: Issuer) -> str:
    head, _, signature = issuer.token().split(".")
    return f"{head}.{segment(issuer.claims(roles=['admin']))}.{signature}"


def _with_own_key_inside(issuer: Issuer) -> str:
    other = Issuer(issuer.kid)
    header = issuer.header(jwk=other.key.as_dict(private=False))
    payload = json.dumps(issuer.claims()).encode()
    return jws.serialize_compact(header, payload, other.key, registry=_LENIENT)


def _der_signature(issuer: Issuer) -> str:
    """The same signature in the spelling of X.509."""
    message, _, signature = issuer.token().rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    numbers = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    return f"{message}.{encoded(encode_dss_signature(*numbers))}"


def _respelt(issuer: Issuer) -> str:
    """A decoder that drops stray bits takes the last character's neighbour for the same signature."""
    token = issuer.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) + 1]


def _encrypted(issuer: Issuer) -> str:
    key = OctKey.generate_key(256)
    return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, issuer.token().encode(), key)


def _nested_header(_: Issuer) -> str:
    return f"{encoded(b'[' * 2_900)}.{segment({})}.{'A' * 86}"


def _nested_payload(issuer: Issuer) -> str:
    return signed(issuer, b'{"roles":' * 150 + b"[]" + b"}" * 150)


def _now() -> int:
    return int(time.time())


FORGERIES: dict[str, Forgery] = {
    "alg none": lambda issuer: f"{segment(issuer.header(alg='none'))}.{segment(issuer.claims())}.",
    "alg none, signature kept": lambda issuer: with_header(issuer, alg="none"),
    "alg nOnE": lambda issuer: with_header(issuer, alg="nOnE"),
    "alg is a list": lambda issuer: with_header(issuer, alg=["ES256"]),
    "no alg": lambda issuer: with_header(issuer, alg=None),
    "HS256 with the public key": _hmac_with_the_public_key,
    "HS256 with the public PEM": _hmac_with_the_public_pem,
    "RS256": lambda issuer: _signed_by(issuer, RSAKey.generate_key(2048), "RS256"),
    "ES384": lambda issuer: _signed_by(issuer, ECKey.generate_key("P-384"), "ES384"),
    "another key under our kid": lambda issuer: Issuer(issuer.kid).token(roles=["admin"]),
    "unknown kid": lambda _: Issuer("key-2").token(),
    "no kid": lambda issuer: with_header(issuer, kid=None),
    "empty kid": lambda issuer: with_header(issuer, kid=""),
    "kid is an object": lambda issuer: with_header(issuer, kid={"a": 1}),
    "kid is a path": lambda issuer: with_header(issuer, kid="../../../../dev/null"),
    "kid is SQL": lambda issuer: with_header(issuer, kid="x' UNION SELECT 'secret' --"),
    "kid is a URL": lambda issuer: with_header(issuer, kid="https://evil.example/key"),
    "kid has a null byte": lambda issuer: with_header(issuer, kid=f"{issuer.kid}\0"),
    "key in the header": _with_own_key_inside,
    "keys by URL": lambda issuer: signed(issuer, b"{}", jku="https://evil.example/jwks.json"),
    "certificate by URL": lambda issuer: signed(issuer, b"{}", x5u="https://evil.example/cert"),
    "certificate in the header": lambda issuer: signed(issuer, b"{}", x5c=["MIIB"]),
    "crit": lambda issuer: with_header(issuer, crit=["exp"]),
    "b64 false": lambda issuer: with_header(issuer, b64=False, crit=["b64"]),
    "zip": lambda issuer: with_header(issuer, zip="DEF"),
    "typ JWT": lambda issuer: signed(issuer, json.dumps(issuer.claims()).encode(), typ="JWT"),
    "no typ": lambda issuer: with_header(issuer, typ=None),
    "header is a list": lambda _: f"{segment(['alg'])}.{segment({})}.{'A' * 86}",
    "header is a text": lambda _: f"{segment('alg')}.{segment({})}.{'A' * 86}",
    "header is no JSON": lambda _: f"{encoded(b'{alg')}.{segment({})}.{'A' * 86}",
    "header is no UTF-8": lambda _: encoded(b"\xff\xfe") + f".{segment({})}.{'A' * 86}",
    "header nested too deep": _nested_header,
    "claims tampered": _promoted,
    "claims are a list": lambda issuer: signed(issuer, b"[]"),
    "claims are no JSON": lambda issuer: signed(issuer, b"sub=admin"),
    "claims are no UTF-8": lambda issuer: signed(issuer, b'{"sub": "\xff"}'),
    "claims nested deep": _nested_payload,
    "a claim twice": lambda issuer: signed(
        issuer, json.dumps(issuer.claims())[:-1].encode() + b', "roles": ["admin"]}'
    ),
    "signature cut": lambda issuer: issuer.token()[:-4],
    "signature gone": lambda issuer: issuer.token().rpartition(".")[0] + ".",
    "signature of zeros": lambda issuer: issuer.token().rpartition(".")[0] + "." + "A" * 86,
    "signature in DER": _der_signature,
    "signature spelt otherwise": _respelt,
    "two parts": lambda issuer: issuer.token().rpartition(".")[0],
    "four parts": lambda issuer: issuer.token() + ".AA",
    "five parts: encrypted": _encrypted,
    "padding": lambda issuer: issuer.token() + "==",
    "padded parts": lambda issuer: issuer.token().replace(".", "=."),
    "white space inside": lambda issuer: issuer.token().replace(".", ". "),
    "unicode": lambda issuer: issuer.token()[:-1] + "é",
    "standard alphabet": lambda issuer: issuer.token()[:-3] + "+/A",
    "two tokens": lambda issuer: f"{issuer.token()},{issuer.token()}",
    "garbage": lambda _: "not-a-token",
    "empty parts": lambda _: "..",
    "too long": lambda _: "a" * (LONGEST_TOKEN + 1),
    "wrong issuer": lambda issuer: issuer.token(iss="evil"),
    "no issuer": lambda issuer: without(issuer, "iss"),
    "issuer is a list": lambda issuer: claims_of(issuer, "iss", '["micromart"]'),
    "wrong audience": lambda issuer: issuer.token(aud="another"),
    "no audience": lambda issuer: without(issuer, "aud"),
    "many audiences": lambda issuer: issuer.token(aud=["micromart", "another"]),
    "no subject": lambda issuer: without(issuer, "sub"),
    "empty subject": lambda issuer: issuer.token(sub=""),
    "subject is a number": lambda issuer: claims_of(issuer, "sub", "7"),
    "no session": lambda issuer: without(issuer, "sid"),
    "no jti": lambda issuer: without(issuer, "jti"),
    "no expiry": lambda issuer: without(issuer, "exp"),
    "expiry is null": lambda issuer: claims_of(issuer, "exp", "null"),
    "expiry is a text": lambda issuer: claims_of(issuer, "exp", f'"{_now() + 900}"'),
    "expiry has a fraction": lambda issuer: claims_of(issuer, "exp", f"{_now() + 900}.5"),
    "expiry is true": lambda issuer: claims_of(issuer, "exp", "true"),
    "expiry is negative": lambda issuer: claims_of(issuer, "exp", "-1"),
    "expiry is NaN": lambda issuer: claims_of(issuer, "exp", "NaN"),
    "expiry is infinite": lambda issuer: claims_of(issuer, "exp", "Infinity"),
    "expiry is 1e400": lambda issuer: claims_of(issuer, "exp", "1e400"),
    "expiry has too many digits": lambda issuer: claims_of(issuer, "exp", "9" * 400),
    "not valid yet": lambda issuer: issuer.token(nbf=_now() + 60),
    "no beginning": lambda issuer: without(issuer, "nbf"),
    "issued in the future": lambda issuer: issuer.token(iat=_now() + 60),
    "no time of issue": lambda issuer: without(issuer, "iat"),
    "roles is a text": lambda issuer: issuer.token(roles="admin"),
    "roles is an object": lambda issuer: issuer.token(roles={"admin": True}),
    "roles holds an object": lambda issuer: issuer.token(roles=[{"a": 1}]),
    "no roles": lambda issuer: without(issuer, "roles"),
}
