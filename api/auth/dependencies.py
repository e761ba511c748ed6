"""What auth's routes depend on: a part of the service each, and where a request comes from."""

from typing import Annotated

from fastapi import Depends, Request

from services.auth.accounts import Accounts
from services.auth.api_keys import ApiKeys
from services.auth.device import Device
from services.auth.factory import Auth
from services.auth.keys import SigningKeys
from services.auth.mailed_links import MailedLinks
from services.auth.oidc import OidcSignIn
from services.auth.reset_requests import ResetRequests
from services.auth.sessions import Sessions
from services.auth.staff_actions import StaffActions


def _auth(request: Request) -> Auth:
    auth: Auth = request.app.state.opened.service
    return auth


TheService = Annotated[Auth, Depends(_auth)]


def _accounts(auth: TheService) -> Accounts:
    return auth.accounts


def _keys(auth: TheService) -> SigningKeys:
    return auth.keys


def _sessions(auth: TheService) -> Sessions:
    return auth.sessions


def _links(auth: TheService) -> MailedLinks:
    return auth.links


def _reset_requests(auth: TheService) -> ResetRequests:
    return auth.reset_requests


def _api_keys(auth: TheService) -> ApiKeys:
    return auth.api_keys


def _staff_actions(auth: TheService) -> StaffActions:
    return auth.staff_actions


def _oidc(auth: TheService) -> OidcSignIn:
    return auth.oidc


def _device(request: Request) -> Device:
    """Where a request comes from: the gateway says whose address it is, in a header that is its alone."""
    forwarded = request.headers.get("x-forwarded-for")
    peer = request.client.host if request.client is not None else None
    address = forwarded.partition(",")[0] if forwarded is not None else peer
    return Device.of(address, request.headers.get("user-agent"))


AccountsService = Annotated[Accounts, Depends(_accounts)]
KeysService = Annotated[SigningKeys, Depends(_keys)]
SessionsService = Annotated[Sessions, Depends(_sessions)]
LinksService = Annotated[MailedLinks, Depends(_links)]
ResetRequestsService = Annotated[ResetRequests, Depends(_reset_requests)]
ApiKeysService = Annotated[ApiKeys, Depends(_api_keys)]
StaffActionsService = Annotated[StaffActions, Depends(_staff_actions)]
OidcService = Annotated[OidcSignIn, Depends(_oidc)]
CallersDevice = Annotated[Device, Depends(_device)]
