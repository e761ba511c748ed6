"""What notifications refuses."""

from contracts.errors import DomainError, Kind


class Bounced(DomainError):
    """This message cannot be delivered, now or later; the detail holds no address."""

    code = "notifications.bounced"
    kind = Kind.CONFLICT


class UnknownNotification(DomainError):
    code = "notifications.not_found"
    kind = Kind.NOT_FOUND
