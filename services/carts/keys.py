"""The keys of carts' store, as format strings that Python and Lua both read.

A cart is kept under its `cart_ref`, so that the store holds no guest's secret. A script learns of some keys
only while it runs (a customer's key names the cart), and one change writes a cart, its customer's key and the
outbox together: carts live on one server with replicas, not on a cluster.
"""

# A hash: currency, version, generation, created_at, changed_at, one field a line, and for a customer's cart
# owner and id.
# Of a cart that was merged away only `merged_into` is left: the `cart_ref` of the other.
CART = "cart:{%s}"
LINE_PREFIX = "line:"
# A set: the orders that were taken out of the cart.
SETTLED = "cart:{%s}:settled"
# A string: the `cart_ref` of the cart that `mine` names for this user.
CUSTOMER = "customer:{%s}"
# A sorted set: every customer's cart with something in it, by when it was changed last, in milliseconds.
WATCHED = "carts:watched"
# A hash: what was heard of a sku. `available` with `stock_sequence`; `price` and `currency`, or `removed`,
# with the event that said so: `product_id`, `catalog_sequence`, `catalog_moment`, and `mark`, which names it.
ARTICLE = "article:{%s}"

# A stream: one entry an event, its envelope as JSON in the field `event`.
OUTBOX = "carts:outbox"
EVENT_FIELD = "event"
# A hash: for each shard the last entry up to which its events were relayed.
RELAYED = "carts:outbox:relayed"
# A string: the token of the one process that relays, as long as it keeps saying so.
RELAY_LEASE = "carts:outbox:lease"

# What waits for a handler and a subject: a list of event ids in their order, a hash of what they name, and a
# set of all such lines, each as `handler subject`.
PARKED_ORDER = "parked:{%s}:order"
PARKED_BODIES = "parked:{%s}:bodies"
PARKED_LINES = "parked"

IDLE_SECONDS = 30 * 86_400
