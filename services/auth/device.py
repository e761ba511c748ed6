"""From where somebody signs in, as far as the edge and their browser tell."""

import ipaddress
from dataclasses import dataclass

USER_AGENT_MAX_LENGTH = 200


@dataclass(frozen=True)
class Device:
    """An address and the name that a client gives itself; either may be unknown, the name may be a lie."""

    address: str | None = None
    user_agent: str | None = None

    @classmethod
    def of(cls, address: str | None, user_agent: str | None) -> "Device":
        """What is kept of it: a real address only, and a bounded printable name."""
        return cls(_address(address), _name(user_agent))


def _address(text: str | None) -> str | None:
    try:
        address = ipaddress.ip_address((text or "").strip())
    except ValueError:
        return None
    # Without its zone, which means something on one machine only, and can be of any length.
    return str(address).partition("%")[0]


def _name(text: str | None) -> str | None:
    printable = "".join(character for character in text or "" if character.isprintable())
    return printable[:USER_AGENT_MAX_LENGTH].strip() or None
