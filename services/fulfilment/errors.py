"""What fulfilment refuses."""

from contracts.errors import DomainError, Kind


class ShipmentNotFound(DomainError):
    code = "fulfilment.not_found"
    kind = Kind.NOT_FOUND


class WrongState(DomainError):
    """The parcel is not where this can be done to it."""

    code = "fulfilment.wrong_state"
    kind = Kind.CONFLICT


class AlreadyShipping(DomainError):
    """It is too late to stop the parcel."""

    code = "fulfilment.already_shipping"
    kind = Kind.CONFLICT
