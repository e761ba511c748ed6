import pytest
from pydantic import SecretStr

from services.auth import rules
from services.auth.errors import CommonPassword, InvalidEmail, InvalidName, InvalidPassword

EMAIL = "ada.lovelace@example.com"


@pytest.mark.parametrize("spelling", ["ada@example.com", "  ADA@Example.COM\n", "Ada@EXAMPLE.com"])
def test_one_address_has_one_spelling(spelling: str) -> None:
    assert rules.accepted_email(spelling) == "ada@example.com"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@localhost",
        "ada@example..com",
        "a b@example.com",
        "ada@example.com, eve@example.com",
        "ada\0@example.com",
        "ada\ud800@example.com",
        f"ada@{'x' * 250}.com",
    ],
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidEmail):
        rules.accepted_email(wrong)


def test_a_domain_that_does_not_resolve_is_accepted() -> None:
    assert rules.normalised_email("ada@rehearsal.test") == "ada@rehearsal.test"


def test_an_address_that_grows_beyond_its_column_is_refused() -> None:
    assert rules.normalised_email(f"{'İ' * 100}@{'a' * 60}.com") is None


@pytest.mark.parametrize("length", [8, 128])
def test_a_password_within_its_bounds_is_accepted(length: int) -> None:
    password = ("horse staple " * 10)[:length]
    assert rules.accepted_password(SecretStr(password), EMAIL).get_secret_value() == password


@pytest.mark.parametrize("length", [0, 7, 129])
def test_a_password_outside_its_bounds_is_refused(length: int) -> None:
    with pytest.raises(InvalidPassword, match="8 to 128"):
        rules.accepted_password(SecretStr(("horse staple " * 10)[:length]), EMAIL)


@pytest.mark.parametrize(
    "guess",
    [
        "password",
        "PassWord",
        "Password1!",
        "p@ssw0rd",
        "P@$$w0rd2026",
        "sunshine2024",
        "qwertyuiop",
        "monkey12",
        "iloveyou!!",
        "1q2w3e4r5t",
        "12345678",
        "2718281828459045",
        "aaaaaaaaaaaa",
        "ababababab",
        "MicroMart",
        "micromart2026!",
        "ada.lovelace",
        "Ada.Lovelace1815",
        "ada.lovelace@example.com",
        "passwordpassword",
        "password1password1",
        "password-password",
        "abc123abc123abc123",
        "P@ssw0rdP@ssw0rd2026",
        "123password",
        "!password!",
        "2024summer",
        "adalovelace",
        "Ada Lovelace 1815",
        "adalovelaceadalovelace",
    ],
)
def test_a_password_that_is_guessed_first_is_refused(guess: str) -> None:
    with pytest.raises(CommonPassword):
        rules.accepted_password(SecretStr(guess), EMAIL)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse",
        "correct horse battery",
        "battery staple",
        "open sesame",
        "dragon-8391-7742",
        "xkcd 936 pw",
    ],
)
def test_a_password_that_is_not_is_accepted(password: str) -> None:
    assert rules.accepted_password(SecretStr(password), EMAIL).get_secret_value() == password


def test_a_password_is_the_same_however_its_letters_were_composed() -> None:
    composed, decomposed = SecretStr("caf\u00e9 noir"), SecretStr("cafe\u0301 noir")
    assert rules.accepted_password(composed, EMAIL) == rules.normalised_password(decomposed)


def test_a_password_may_be_anything_that_json_can_carry() -> None:
    assert len(rules.accepted_password(SecretStr("\ud800 \0x" * 4), EMAIL)) == 16


@pytest.mark.parametrize(
    ("given", "stored"), [(" Ada Lovelace ", "Ada Lovelace"), ("李小龙", "李小龙"), (" ", None), (None, None)]
)
def test_a_name_is_trimmed_and_a_blank_one_is_none(given: str | None, stored: str | None) -> None:
    assert rules.accepted_name(given) == stored


@pytest.mark.parametrize("wrong", ["Ada\0", "Ada\nLovelace", "Ada\ud800", "a" * 201])
def test_a_name_that_cannot_be_stored_or_printed_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidName):
        rules.accepted_name(wrong)


def test_a_stored_token_tells_nothing_of_the_token() -> None:
    stored = rules.token_hash(SecretStr("a-token"))
    assert len(stored) == 32
    assert b"a-token" not in stored
    assert stored != rules.token_hash(SecretStr("a-tokeN"))
