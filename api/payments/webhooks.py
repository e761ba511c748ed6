"""Where payment providers report."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.requests import ClientDisconnect

from api.payments.dependencies import Payments
from contracts.errors import DomainError, Kind

LIMIT_BYTES = 64 * 1024

router = APIRouter(prefix="/v1/payments/webhooks", tags=["payments"])


class WebhookTooLarge(DomainError):
    code = "request.too_large"
    kind = Kind.TOO_LARGE


class WebhookCutShort(DomainError):
    """Its sender hung up before the end, and will send it again."""

    code = "request.malformed"
    kind = Kind.MALFORMED


async def _body(request: Request) -> bytes:
    """The bytes as they were signed."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LIMIT_BYTES:
                raise WebhookTooLarge(f"A webhook may have {LIMIT_BYTES} bytes at most.")
    except ClientDisconnect:
        raise WebhookCutShort("The body ended too early.") from None
    return bytes(body)


@router.post("/{provider}", status_code=204)
async def receive_webhook(
    provider: Annotated[str, Path(max_length=32)],
    request: Request,
    body: Annotated[bytes, Depends(_body)],
    payments: Payments,
) -> None:
    """Take a provider's signed report; the same one again is harmless."""
    await payments.receive_webhook(provider, request.headers, body)
