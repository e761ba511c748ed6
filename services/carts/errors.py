"""What carts refuses."""

from contracts.errors import DomainError, Kind


class CartNotFound(DomainError):
    """There is no such cart, or it is somebody else's: the two look the same on purpose."""

    code = "carts.not_found"
    kind = Kind.NOT_FOUND


class UnknownSku(DomainError):
    """Products sells nothing under this sku."""

    code = "products.unknown_sku"
    kind = Kind.NOT_FOUND


class TooManyLines(DomainError):
    code = "carts.too_many_lines"
    kind = Kind.INVALID


class MixedCurrencies(DomainError):
    code = "carts.mixed_currencies"
    kind = Kind.INVALID


class PriceTooHigh(DomainError):
    """A unit price at which a full cart's total could leave the range of Money."""

    code = "carts.price_too_high"
    kind = Kind.INVALID
