"""Where a request comes from, as far as it can be believed."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

from runtime.settings import PREFIX, MissingSetting

UNKNOWN = "unknown"
# More proxies stand in no row that is honest; a header of ten thousand entries is not read to its end.
MAX_HOPS = 32

Networks = tuple[IPv4Network | IPv6Network, ...]
_Address = IPv4Address | IPv6Address


class Addresses:
    """Tells a request's origin: the peer, or whoever the last proxy of ours says it took the request from."""

    def __init__(self, trusted_proxies: str) -> None:
        """`trusted_proxies`: as `networks_in` takes them."""
        self._networks = networks_in(trusted_proxies, "TRUSTED_PROXIES")
        self._is_trusted = lru_cache(maxsize=1024)(self._lies_in_ours)

    def of(self, scope: Scope) -> str:
        """The rightmost address that no trusted proxy stands for; a broken entry ends the search."""
        client = scope.get("client")
        if client is None:
            return UNKNOWN
        peer: str = client[0]
        if not self._networks:
            return peer
        address = _parsed(peer)
        if address is None or not self._is_trusted(address):
            return peer
        for entry in _entries_from_the_right(scope):
            told = _parsed(entry)
            if told is None:
                break
            address = told
            if not self._is_trusted(address):
                break
        return str(address)

    def is_proxy(self, peer: str) -> bool:
        """Whether a peer is a proxy of ours, behind which others stand."""
        address = _parsed(peer) if self._networks else None
        return address is not None and self._is_trusted(address)

    def _lies_in_ours(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def networks_in(listed: str, setting: str) -> Networks:
    """The networks that a setting names, separated by commas; MissingSetting where one is none."""
    try:
        return tuple(ip_network(name.strip()) for name in listed.split(",") if name.strip())
    except ValueError as error:
        raise MissingSetting(f"{PREFIX}{setting} is not usable: {error}") from None


def is_within(peer: str, networks: Networks) -> bool:
    """Whether an address lies in one of the networks; what is no address lies in none."""
    address = _parsed(peer)
    return address is not None and any(address in network for network in networks)


def _entries_from_the_right(scope: Scope) -> list[str]:
    lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    entries = b",".join(lines).decode("latin-1").rsplit(",", MAX_HOPS)
    return [entry.strip() for entry in reversed(entries[-MAX_HOPS:])]


def _parsed(entry: str) -> _Address | None:
    """An address with or without a port; a zone says nothing beyond its own host and is left out."""
    host = entry
    if entry.startswith("["):
        host = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        host = entry.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    # Sockets of both families tell an IPv4 peer so.
    return getattr(address, "ipv4_mapped", None) or address
