"""What inventory refuses."""

from contracts.errors import DomainError, Kind


class OutOfStock(DomainError):
    """At least one line cannot be had in the quantity asked; none was reserved."""

    code = "inventory.out_of_stock"
    kind = Kind.CONFLICT


class UnknownSku(DomainError):
    code = "inventory.unknown_sku"
    kind = Kind.NOT_FOUND


class BelowReserved(DomainError):
    """Stock would fall below what is held for orders, or below zero."""

    code = "inventory.below_reserved"
    kind = Kind.CONFLICT


class BeyondLimit(DomainError):
    """More of one sku than is ever counted: a slip of somebody's keyboard."""

    code = "inventory.beyond_limit"
    kind = Kind.CONFLICT


class ReservationReleased(DomainError):
    """The order's reservation was given back before this step arrived; it stays so."""

    code = "inventory.reservation_released"
    kind = Kind.CONFLICT


class UnknownReservation(DomainError):
    """Nothing was ever held for this order."""

    code = "inventory.unknown_reservation"
    kind = Kind.NOT_FOUND


class AlreadyTaken(DomainError):
    """What the order held has left the building: it cannot be given back."""

    code = "inventory.already_taken"
    kind = Kind.CONFLICT
