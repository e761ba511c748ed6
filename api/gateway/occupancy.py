"""How many connections a process holds open: so many in all, and so many of one address."""

from collections.abc import Callable
from functools import partial

from prometheus_client import Counter, Gauge

from api.gateway.errors import TooManyConnections
from api.gateway.quotas import address_principal

OPEN = Gauge("micromart_gateway_connections", "Connections that are open now, but for refused ones")
REFUSED = Counter(
    "micromart_gateway_connections_refused_total",
    "Connections refused because as many were open as may be: of all, or of one address",
    ["bound"],
)
# Told at once why they are refused, which keeps each open for a moment; beyond these they are cut unheard.
TOLD_AT_ONCE = 100

Leave = Callable[[], None]


class Occupancy:
    """The places for connections; one address cannot take them all."""

    def __init__(
        self,
        most: int = 10_000,
        most_of_address: int = 500,
        *,
        is_proxy: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`is_proxy`: whether a peer is a proxy of ours, behind which many clients stand."""
        self._most = most
        self._most_of_address = most_of_address
        self._is_proxy = is_proxy
        self._open = 0
        self._told = 0
        # By address, of IPv6 by its /64 as limits count it; none of a proxy's.
        self._of_address: dict[str, int] = {}

    def enter(self, peer: str) -> Leave:
        """Take a place, or raise TooManyConnections. What is answered gives it back, and is called once."""
        address = None if self._is_proxy(peer) else address_principal(peer)
        if self._open >= self._most:
            REFUSED.labels("all").inc()
            raise TooManyConnections("The gateway has all the connections that it can serve.")
        if address is not None:
            count = self._of_address.get(address, 0)
            if count >= self._most_of_address:
                REFUSED.labels("address").inc()
                raise TooManyConnections("As many connections are open as one address may have.")
            self._of_address[address] = count + 1
        self._open += 1
        OPEN.inc()
        return partial(self._leave, address)

    def be_told(self) -> Leave | None:
        """Room to tell a refused one why, to be given back once; None while enough others are told."""
        if self._told >= TOLD_AT_ONCE:
            return None
        self._told += 1
        return self._be_gone

    def _leave(self, address: str | None) -> None:
        self._open -= 1
        OPEN.dec()
        if address is None:
            return
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]

    def _be_gone(self) -> None:
        self._told -= 1
