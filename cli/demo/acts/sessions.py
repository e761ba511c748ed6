"""The customer's sessions: a lost phone, and a password that is forgotten."""

import re

from pydantic import BaseModel

from api.auth.accounts import Forgotten
from cli.demo.mailbox import Mailbox, mailbox_of
from cli.demo.shop import Credentials, Reply, Shop
from cli.demo.stage import Stage

PHONE = "Demo (phone)"
ENDED = "401 auth.session_ended"
_TOKEN = re.compile(r"/reset-password#token=(\S+)")


class NewPassword(BaseModel):
    """As the shop's page sends it: auth's own model keeps to itself what it was sent."""

    token: str
    new_password: str


async def lose_a_phone(stage: Stage) -> None:
    """A session is ended from another device; the access token that it has left opens nothing any more."""
    stage.title("A lost phone, and a forgotten password")
    need = stage.findings.need
    phone = stage.shop.another(device="phone")
    await phone.sign_in(stage.who)
    found = {session.user_agent: session for session in await stage.shop.sessions()}
    shown = [f"{agent}{', this one' if session.current else ''}" for agent, session in found.items()]
    need(shown == [PHONE, "Demo (laptop), this one"], f"two sessions: {'; '.join(shown)}", shown)
    ended = await stage.shop.ask("DELETE", f"/v1/auth/sessions/{found[PHONE].id}")
    need(ended.status == 204, "the laptop ends the phone's: 204", ended)
    await stage.becomes_refused("the phone's access token", lambda: _at_home(phone), ENDED)


async def forget_the_password(stage: Stage) -> None:
    """A link comes by mail and sets another password, once; whoever was signed in is not any more."""
    mailbox = await mailbox_of(stage)
    if mailbox is None:
        return
    need, refused = stage.findings.need, stage.refused
    asked = await _post(stage.shop, "/v1/auth/password/forgotten", Forgotten(email=stage.who.email))
    need(asked.status == 202, "POST /v1/auth/password/forgotten: 202", asked)
    link = NewPassword(
        token=await _mailed_token(stage, mailbox), new_password=Credentials.new("ada").password
    )
    anybody = stage.shop.another()
    need((opened := await _reset(anybody, link)).status == 204, "the mailed link sets another: 204", opened)
    refused("the same link again", await _reset(anybody, link), "422 auth.link_invalid")
    await stage.becomes_refused("the laptop has to sign in again", lambda: _at_home(stage.shop), ENDED)
    forgotten = await _post(anybody, "/v1/auth/login", stage.who)
    refused("the old password", forgotten, "401 auth.bad_credentials")
    stage.who = Credentials(email=stage.who.email, password=link.new_password)
    await stage.shop.sign_in(stage.who)
    home = await _at_home(stage.shop)
    need(home.status == 200, "the new one signs in", home)


async def _mailed_token(stage: Stage, mailbox: Mailbox) -> str:
    """The secret that stands behind the # of the link."""

    async def has_come() -> bool:
        return bool(_TOKEN.search(await mailbox.text_of("Set a new password")))

    came = await stage.awaited(has_come, True)
    stage.findings.need(came, "a letter brings a link", "none")
    found = _TOKEN.search(await mailbox.text_of("Set a new password"))
    return found[1] if found else ""


async def _at_home(visitor: Shop) -> Reply:
    return await visitor.ask("GET", "/v1/auth/me")


async def _reset(visitor: Shop, link: NewPassword) -> Reply:
    return await _post(visitor, "/v1/auth/password/reset", link)


async def _post(visitor: Shop, path: str, body: BaseModel) -> Reply:
    return await visitor.ask("POST", path, body=body)
