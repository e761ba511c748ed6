"""What auth refuses."""

from contracts.errors import DomainError, Kind


class EmailTaken(DomainError):
    code = "auth.email_taken"
    kind = Kind.CONFLICT


class InvalidEmail(DomainError):
    code = "auth.invalid_email"
    kind = Kind.INVALID


class InvalidPassword(DomainError):
    code = "auth.invalid_password"
    kind = Kind.INVALID


class InvalidName(DomainError):
    code = "auth.invalid_name"
    kind = Kind.INVALID


class BadCredentials(DomainError):
    """No account has this email and password; which of the two is wrong is not said."""

    code = "auth.bad_credentials"
    kind = Kind.UNAUTHENTICATED


class InvalidRefreshToken(DomainError):
    """A refresh token that we never issued, or whose session has ended."""

    code = "auth.invalid_refresh_token"
    kind = Kind.UNAUTHENTICATED


class TokenReused(DomainError):
    """A refresh token came a second time: one of its two holders stole it, so its session has ended."""

    code = "auth.token_reused"
    kind = Kind.UNAUTHENTICATED


class SigningKeyUnreadable(Exception):
    """The stored signing key was sealed with another secret: an operator's mistake, not a refusal."""
