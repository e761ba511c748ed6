"""Access tokens that nobody issued, each made from one that was."""

import base64
import json

from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import JsonValue, TypeAdapter

from contracts.auth import SIGNING_ALGORITHM
from contracts.identity import Role

_OBJECT: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


def kid_of(token: str) -> str:
    """The name of the key that a token says it was signed with."""
    return str(_opened(token.split(".")[0])["kid"])


def unsigned(token: str) -> str:
    """An admin's, of the algorithm "none"."""
    head, claims = _promoted(token)
    return f"{_segment(head | {'alg': 'none'})}.{_segment(claims)}."


def signed_by_another_key(token: str) -> str:
    """An admin's, well made and under the name of our key, by somebody who does not have it."""
    head, claims = _promoted(token)
    return jwt.encode(head, claims, ECKey.generate_key("P-256"), algorithms=[SIGNING_ALGORITHM])


def _promoted(token: str) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    head, claims, _ = token.split(".")
    return _opened(head), _opened(claims) | {"roles": [Role.ADMIN.value]}


def _opened(segment: str) -> dict[str, JsonValue]:
    return _OBJECT.validate_json(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


def _segment(content: dict[str, JsonValue]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
