"""Which paths are refused unread, because two servers could read them differently."""

import re

from api.gateway.errors import MalformedRequest

# Slashes in disguise, dot segments (plain or encoded) and control characters: routed as one path here, such
# a path might be served as another one behind us.
_AMBIGUOUS = re.compile(rb"(?i)\\|%2f|%5c|%[01][0-9a-f]|%7f|(?:^|/)(?:\.|%2e){1,2}(?:/|$)")


def refuse_ambiguous(raw_path: bytes) -> None:
    """Refuse a path, as it came over the wire, that does not mean the same to everybody."""
    if _AMBIGUOUS.search(raw_path):
        raise MalformedRequest("The path holds an encoded slash, a dot segment or a control character.")
