"""What payments' routes are given."""

from typing import Annotated

from fastapi import Depends, Request

from services.payments.service import PaymentsService


def _service(request: Request) -> PaymentsService:
    service: PaymentsService = request.app.state.opened.service
    return service


Payments = Annotated[PaymentsService, Depends(_service)]
