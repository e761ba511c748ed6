"""Who calls, as dependencies: the gateway's signed word, or nobody."""

from typing import Annotated

from fastapi import Depends, Request, params

from contracts.errors import Forbidden, Unauthenticated
from contracts.identity import IDENTITY_HEADER, SERVICE_HEADER, Identity, Role
from runtime.identity import IdentitySigner
from runtime.service_identity import ServiceNotAllowed, ServiceProof, UnknownService


async def optional_caller(request: Request) -> Identity | None:
    """The caller that the gateway vouches for, or None for an anonymous one; a forged header is refused."""
    header = request.headers.get(IDENTITY_HEADER)
    if header is None:
        return None
    signer: IdentitySigner = request.app.state.signer
    return signer.verify(header)


OptionalCaller = Annotated[Identity | None, Depends(optional_caller)]


async def signed_in(caller: OptionalCaller) -> Identity:
    if caller is None:
        raise Unauthenticated("sign in first")
    return caller


Caller = Annotated[Identity, Depends(signed_in)]


async def staff(caller: Caller) -> Identity:
    if not caller.is_staff:
        raise Forbidden("this needs the role staff")
    return caller


async def admin(caller: Caller) -> Identity:
    if Role.ADMIN not in caller.roles:
        raise Forbidden("this needs the role admin")
    return caller


async def calling_service(request: Request) -> str:
    """The process of ours that calls; everybody else is refused."""
    header = request.headers.get(SERVICE_HEADER)
    if header is None:
        raise UnknownService("only our own processes may ask this")
    proof: ServiceProof = request.app.state.proof
    return proof.caller(header)


CallingService = Annotated[str, Depends(calling_service)]


def called_by(*services: str) -> params.Depends:
    """The dependency of a route that only these services of ours may ask."""

    async def allowed(request: Request) -> None:
        caller = await calling_service(request)
        if caller not in services:
            raise ServiceNotAllowed(f"{caller} has no business here")

    dependency: params.Depends = Depends(allowed)
    return dependency


Staff = Annotated[Identity, Depends(staff)]
Admin = Annotated[Identity, Depends(admin)]
