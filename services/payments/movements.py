"""The provider's idempotency keys: one for each movement of an order's money, and for nothing else."""


def authorize_key(order_id: str) -> str:
    """The key of an order's one authorisation; a compensation has its own."""
    return f"checkout-{order_id}:authorize"


def void_key(order_id: str) -> str:
    return f"checkout-{order_id}:void"


def late_void_key(order_id: str) -> str:
    """The key for letting go of what the provider came to hold after the payment was over."""
    return f"checkout-{order_id}:void-late"


def capture_key(order_id: str, attempt: int = 1) -> str:
    """The key of one attempt to take the amount: a refusal is final for it, and the next has another."""
    return f"checkout-{order_id}:capture" if attempt == 1 else f"checkout-{order_id}:capture:{attempt}"


def refund_key(order_id: str, key: str) -> str:
    """The key of one refund: what names it need only be unique within the order."""
    return f"checkout-{order_id}:refund:{key}"


def give_back_key(order_id: str) -> str:
    """The key of the one refund that gives back all that is left."""
    return f"checkout-{order_id}:give-back"
