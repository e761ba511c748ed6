"""Who calls, as dependencies: the gateway's signed word, or nobody."""

from typing import Annotated

from fastapi import Depends, Request

from contracts.errors import Forbidden, Unauthenticated
from contracts.identity import IDENTITY_HEADER, SERVICE_HEADER, Identity, Role
from runtime.identity import IdentitySigner
from runtime.service_identity import ServiceProof


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
        raise Unauthenticated("only our own processes may ask this")
    proof: ServiceProof = request.app.state.proof
    return proof.caller(header)


CallingService = Annotated[str, Depends(calling_service)]
Staff = Annotated[Identity, Depends(staff)]
Admin = Annotated[Identity, Depends(admin)]
