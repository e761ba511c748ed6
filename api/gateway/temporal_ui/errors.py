"""What is refused at the Temporal UI, beyond what every route refuses."""

from contracts.errors import DomainError, Kind, Unavailable


class ReadOnly(DomainError):
    """Staff may look; acting on a workflow is for admins."""

    code = "temporal.read_only"
    kind = Kind.FORBIDDEN


class CrossSite(DomainError):
    """A change that a page of somebody else's asks for, with the cookie of whoever looks at it."""

    code = "temporal.cross_site"
    kind = Kind.FORBIDDEN


class UiUnavailable(Unavailable):
    code = "temporal.ui_unavailable"
