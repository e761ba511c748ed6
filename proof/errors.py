"""What keeps a proof from coming to a result."""

from runtime.embedded.errors import PlatformError


class CannotMeasure(PlatformError):
    """The measurement itself failed: no figure came of it, good or bad."""
