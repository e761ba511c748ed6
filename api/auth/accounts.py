"""The routes of passwords and mailed links: their owners', and notifications', which mails the links."""

from typing import Annotated

from fastapi import APIRouter, Path, Response, status
from pydantic import Field

from api.auth.dependencies import CallersDevice, TheAuth
from api.auth.views import Secret, Text
from api.caller import Caller, OptionalCaller, called_by
from api.requests import RequestBody
from contracts.auth import MailedToken

MailId = Annotated[str, Path(max_length=64)]
NewPassword = Annotated[Secret, Field(description="8 to 128 characters, none of the common ones")]

router = APIRouter(prefix="/v1/auth", tags=["auth"])
internal = APIRouter(
    prefix="/internal/mails", include_in_schema=False, dependencies=[called_by("notifications")]
)


class ChangePassword(RequestBody):
    current_password: Secret
    new_password: NewPassword


class Forgotten(RequestBody):
    email: Annotated[Text, Field(examples=["ada@example.com"])]


class ResetPassword(RequestBody):
    token: Annotated[Secret, Field(description="from the link that was mailed")]
    new_password: NewPassword


class VerifyEmail(RequestBody):
    token: Annotated[Secret, Field(description="from the link that was mailed")]


@router.post("/password", status_code=status.HTTP_204_NO_CONTENT)
async def change_password(body: ChangePassword, caller: Caller, auth: TheAuth, device: CallersDevice) -> None:
    """Change my password; my other sessions end."""
    await auth.accounts.change_password(caller, body.current_password, body.new_password, device.address)


@router.post("/password/forgotten", status_code=status.HTTP_202_ACCEPTED, response_class=Response)
async def forget_password(body: Forgotten, auth: TheAuth) -> None:
    """Have a link mailed that sets a new password; the answer is the same when nobody has this address."""
    await auth.reset_requests.note(body.email)


@router.post("/password/reset", status_code=status.HTTP_204_NO_CONTENT)
async def reset_password(body: ResetPassword, auth: TheAuth, device: CallersDevice) -> None:
    """Set a new password by a mailed link, which does that once; every session ends."""
    await auth.links.reset(body.token, body.new_password, device.address)


@router.post("/email/verification", status_code=status.HTTP_202_ACCEPTED, response_class=Response)
async def send_verification(caller: Caller, auth: TheAuth) -> None:
    """Mail me another link that verifies my address, one in five minutes at most. Safe to repeat."""
    await auth.links.send_verification(caller)


@router.post("/email/verify", status_code=status.HTTP_204_NO_CONTENT)
async def verify_email(body: VerifyEmail, caller: OptionalCaller, auth: TheAuth) -> None:
    """Verify an address by a mailed link, which does that once; whoever has one sends an access token."""
    await auth.links.verify(body.token, caller)


@internal.get("/{mail_id}/token")
async def mailed_token(mail_id: MailId, auth: TheAuth, response: Response) -> MailedToken:
    """A link's secret, for the mail that is written at this moment."""
    response.headers["cache-control"] = "no-store"
    return await auth.links.token_of(mail_id)
