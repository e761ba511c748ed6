"""Who is asking: what the gateway proves and the services trust."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Role(StrEnum):
    CUSTOMER = "customer"
    STAFF = "staff"
    ADMIN = "admin"


# Admins may do all that staff may.
STAFF_ROLES = frozenset({Role.STAFF, Role.ADMIN})


class Identity(BaseModel):
    """A caller whose access token held at the edge."""

    model_config = ConfigDict(frozen=True)

    subject: str
    roles: frozenset[Role] = frozenset()
    session: str | None = None

    @property
    def is_staff(self) -> bool:
        return bool(self.roles & STAFF_ROLES)


IDENTITY_HEADER = "x-micromart-identity"
SERVICE_HEADER = "x-micromart-service"
ORDER_TOKEN_HEADER = "x-order-token"  # noqa: S105 - a header's name
IDEMPOTENCY_HEADER = "idempotency-key"
REQUEST_ID_HEADER = "x-request-id"
# A service that stops soon says so with each answer; it never leaves the gateway.
DRAINING_HEADER = "x-micromart-draining"
