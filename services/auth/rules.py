"""Auth's decisions, pure."""

import hashlib
import unicodedata

from pydantic import SecretStr

from contracts.email_address import EMAIL_MAX_LENGTH, read_email
from services.auth.common_passwords import is_common
from services.auth.errors import CommonPassword, InvalidEmail, InvalidName, InvalidPassword

PASSWORD_LENGTH = range(8, 129)
NAME_MAX_LENGTH = 200


def normalised_email(email: str) -> str | None:
    """The one spelling that an account is stored under; None for what is no address."""
    found = read_email(email)
    if found is None:
        return None
    lowered = found.normalized.lower()
    # A few letters grow when lowered.
    return lowered if len(lowered) <= EMAIL_MAX_LENGTH else None


def accepted_email(email: str) -> str:
    """A new account's address as it is stored, or a refusal."""
    accepted = normalised_email(email)
    if accepted is None:
        raise InvalidEmail("this is not an email address")
    return accepted


def normalised_password(password: SecretStr) -> SecretStr:
    """One password whichever keyboard composed its characters."""
    return SecretStr(unicodedata.normalize("NFKC", password.get_secret_value()))


def accepted_password(password: SecretStr, email: str) -> SecretStr:
    """An account's new password as it is hashed, or a refusal."""
    accepted = normalised_password(password)
    if len(accepted) not in PASSWORD_LENGTH:
        raise InvalidPassword(
            f"a password has {PASSWORD_LENGTH.start} to {PASSWORD_LENGTH.stop - 1} characters"
        )
    if is_common(accepted.get_secret_value(), (email, email.partition("@")[0])):
        raise CommonPassword("this password is among the first to be guessed: choose another")
    return accepted


def accepted_name(name: str | None) -> str | None:
    """A name as it is stored, None for a blank one, or a refusal."""
    accepted = (name or "").strip()
    if len(accepted) > NAME_MAX_LENGTH:
        raise InvalidName(f"a name has at most {NAME_MAX_LENGTH} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in accepted):
        raise InvalidName("a name has no control characters")
    return accepted or None


def token_hash(token: SecretStr) -> bytes:
    """What is stored of a refresh token: it is random, so that a fast hash is a safe one."""
    return hashlib.sha256(token.get_secret_value().encode("utf-8", "surrogatepass")).digest()
