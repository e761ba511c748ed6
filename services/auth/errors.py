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


class CommonPassword(DomainError):
    """A password that is among the first to be guessed."""

    code = "auth.common_password"
    kind = Kind.INVALID


class InvalidName(DomainError):
    code = "auth.invalid_name"
    kind = Kind.INVALID


class BadCredentials(DomainError):
    """No account has this email and password; which of the two is wrong is not said."""

    code = "auth.bad_credentials"
    kind = Kind.UNAUTHENTICATED


class WrongPassword(DomainError):
    """Who is signed in does not know the password that they want to change."""

    code = "auth.wrong_password"
    kind = Kind.INVALID


class TooManyAttempts(DomainError):
    """Signing in has failed too often; whether the password would be right now is not said."""

    code = "auth.too_many_attempts"
    kind = Kind.THROTTLED


class HashingBusy(DomainError):
    """More passwords wait to be hashed than can be soon: nothing was decided."""

    code = "auth.busy"
    kind = Kind.BUSY


class LinkInvalid(DomainError):
    """A link's token that we never made, or that was used or has expired; which of them is not said."""

    code = "auth.link_invalid"
    kind = Kind.INVALID


class LinkClosed(DomainError):
    """A link that nobody needs to be mailed any more."""

    code = "auth.link_closed"
    kind = Kind.NOT_FOUND


class InvalidRefreshToken(DomainError):
    """A refresh token that we never issued, or whose session has ended."""

    code = "auth.invalid_refresh_token"
    kind = Kind.UNAUTHENTICATED


class TokenReused(DomainError):
    """A refresh token came a second time: one of its two holders stole it, so its session has ended."""

    code = "auth.token_reused"
    kind = Kind.UNAUTHENTICATED


class OidcProviderUnknown(DomainError):
    code = "auth.oidc_unknown_provider"
    kind = Kind.NOT_FOUND


class OidcStateInvalid(DomainError):
    """An answer of a provider that this browser did not ask for, or too long ago."""

    code = "auth.oidc_state_invalid"
    kind = Kind.MALFORMED


class OidcRefused(DomainError):
    """The provider vouches for nobody, or in a way that does not hold."""

    code = "auth.oidc_refused"
    kind = Kind.UNAUTHENTICATED


class OidcEmailUnverified(DomainError):
    """The provider has not made sure of the address, so that it shows nothing of whose account it is."""

    code = "auth.oidc_email_unverified"
    kind = Kind.FORBIDDEN


class OidcAccountProtected(DomainError):
    """The address is that of a member of the staff, whose account no provider opens by an address alone."""

    code = "auth.oidc_account_protected"
    kind = Kind.FORBIDDEN


class OidcUnavailable(DomainError):
    """The provider is down, too slow, or answers what no provider does."""

    code = "auth.oidc_unavailable"
    kind = Kind.BUSY


class ApiKeyRefused(DomainError):
    """A key that we never made, or that has ended; which of them is not said."""

    code = "auth.api_key_invalid"
    kind = Kind.UNAUTHENTICATED


class UnknownApiKey(DomainError):
    code = "auth.unknown_api_key"
    kind = Kind.NOT_FOUND


class InvalidExpiry(DomainError):
    code = "auth.invalid_expiry"
    kind = Kind.INVALID


class UnknownStaffAction(DomainError):
    code = "auth.unknown_staff_action"
    kind = Kind.NOT_FOUND


class UserUnknown(DomainError):
    code = "auth.user_unknown"
    kind = Kind.NOT_FOUND


class SessionEnded(DomainError):
    """The session that asked for something ended before it was done; the gateway calls it the same."""

    code = "auth.session_ended"
    kind = Kind.UNAUTHENTICATED


class SessionUnknown(DomainError):
    """No session of the caller's has this id; whether it is another's is not said."""

    code = "auth.session_unknown"
    kind = Kind.NOT_FOUND


class KeyUnknown(DomainError):
    code = "auth.key_unknown"
    kind = Kind.NOT_FOUND


class KeyInUse(DomainError):
    """The key signs, or tokens that it signed are still good."""

    code = "auth.key_in_use"
    kind = Kind.CONFLICT


class RotationUnderWay(DomainError):
    """A key waits to take over: another one has to wait until it has."""

    code = "auth.rotation_under_way"
    kind = Kind.CONFLICT


class SigningKeyUnreadable(Exception):
    """The stored signing key was sealed with another secret: an operator's mistake, not a refusal."""
