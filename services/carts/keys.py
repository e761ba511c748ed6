"""The keys of carts' store, as format strings that Python and Lua both read.

A cart is kept under its `cart_ref`, so that the store holds no guest's secret. A script learns of some keys
only while it runs (a customer's key names the cart), and one change writes a cart, its customer's key and the
outbox together: carts live on one server with replicas, not on a cluster.
"""

# A hash: currency, version, generation, created_at, one field a line, and for a customer's cart owner and id.
# Of a cart that was merged away only `merged_into` is left: the `cart_ref` of the other.
CART = "cart:{%s}"
LINE_PREFIX = "line:"
# A set: the orders that were taken out of the cart.
SETTLED = "cart:{%s}:settled"
# A string: the `cart_ref` of the cart that `mine` names for this user.
CUSTOMER = "customer:{%s}"
# A stream: one entry an event, its envelope as JSON in the field `event`.
OUTBOX = "carts:outbox"
EVENT_FIELD = "event"

IDLE_SECONDS = 30 * 86_400
OUTBOX_SECONDS = 7 * 86_400
