"""The secrets of mailed links."""

import pytest
from pydantic import SecretStr

from services.auth.errors import LinkInvalid
from services.auth.mailed_links import LinkTokens
from services.auth.tables import Purpose

TOKENS = LinkTokens("key-secret")
RESET, VERIFY = Purpose.RESET_PASSWORD, Purpose.VERIFY_EMAIL


def test_a_token_tells_its_link() -> None:
    assert TOKENS.mail_id(TOKENS.token("m-1", RESET), RESET) == "m-1"


def test_a_link_has_one_token() -> None:
    assert LinkTokens("key-secret").token("m-1", RESET) == TOKENS.token("m-1", RESET)


def test_a_token_is_for_one_purpose() -> None:
    with pytest.raises(LinkInvalid):
        TOKENS.mail_id(TOKENS.token("m-1", VERIFY), RESET)


def test_a_token_of_another_key_is_none() -> None:
    with pytest.raises(LinkInvalid):
        TOKENS.mail_id(LinkTokens("another").token("m-1", RESET), RESET)


@pytest.mark.parametrize("forged", ["", ".", "m-1", "m-1.", "m-1.AAAA", "m-1.\ud800", "é.é", "\0", "m-1.A.A"])
def test_what_we_never_made_is_none(forged: str) -> None:
    with pytest.raises(LinkInvalid):
        TOKENS.mail_id(SecretStr(forged), RESET)


def test_another_links_token_does_not_open_it() -> None:
    mac = TOKENS.token("m-1", RESET).get_secret_value().partition(".")[2]
    with pytest.raises(LinkInvalid):
        TOKENS.mail_id(SecretStr(f"m-2.{mac}"), RESET)
