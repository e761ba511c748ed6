"""What auth's routes depend on: the service, and where a request comes from."""

from typing import Annotated

from fastapi import Depends, Request

from services.auth.device import Device
from services.auth.factory import Auth


def _auth(request: Request) -> Auth:
    auth: Auth = request.app.state.opened.service
    return auth


def _device(request: Request) -> Device:
    """Where a request comes from: the gateway says whose address it is, in a header that is its alone."""
    forwarded = request.headers.get("x-forwarded-for")
    peer = request.client.host if request.client is not None else None
    address = forwarded.partition(",")[0] if forwarded is not None else peer
    return Device.of(address, request.headers.get("user-agent"))


TheAuth = Annotated[Auth, Depends(_auth)]
CallersDevice = Annotated[Device, Depends(_device)]
