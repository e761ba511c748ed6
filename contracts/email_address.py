"""Mail addresses: one rule for whoever takes one, keeps one or writes to one."""

from typing import Annotated

from email_validator import EmailNotValidError, ValidatedEmail, validate_email
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

EMAIL_MAX_LENGTH = 254


def read_email(text: str) -> ValidatedEmail | None:
    """The address that the text is, in each of its spellings; None where it is none. DNS is never asked."""
    try:
        # `.test` names are nobody's (RFC 6761), so that they are let in for rehearsals.
        return validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None


def _normalised(text: str) -> str:
    found = read_email(text)
    if found is None:
        raise PydanticCustomError("email_address", "This is not an email address")
    return found.normalized


EmailAddress = Annotated[
    str,
    Field(max_length=EMAIL_MAX_LENGTH, json_schema_extra={"format": "email"}),
    AfterValidator(_normalised),
]
