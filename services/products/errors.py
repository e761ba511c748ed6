"""What products refuses."""

from contracts.errors import DomainError, Kind


class ProductNotFound(DomainError):
    code = "products.not_found"
    kind = Kind.NOT_FOUND


class SlugTaken(DomainError):
    code = "products.slug_taken"
    kind = Kind.CONFLICT


class SkuTaken(DomainError):
    """Another product sells this sku already."""

    code = "products.sku_taken"
    kind = Kind.CONFLICT


class UnknownCategory(DomainError):
    code = "products.unknown_category"
    kind = Kind.INVALID


class CategoryTaken(DomainError):
    code = "products.category_taken"
    kind = Kind.CONFLICT
