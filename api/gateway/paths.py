"""Which targets are refused unread, because two servers could read them differently."""

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from api.gateway.errors import MalformedRequest

# What nobody disputes about; everything else is worth a closer look.
_PLAIN = re.compile(rb"/?(?:[A-Za-z0-9_-]+/)*[A-Za-z0-9_-]*")
# Slashes and percent signs in disguise, broken escapes, parameters of a segment, empty segments, segments of
# dots only, dots at a segment's end and control characters: routed as one path here, such a path might be
# served as another one behind us. Nothing in it repeats: whatever is sent, it is read once.
_AMBIGUOUS = re.compile(
    rb"""(?ix)
      \\ | %2f | %5c | %25
    | %(?![0-9a-f]{2})
    | ; | %3b
    | [\x00-\x20\x7f-\xff\#] | %[01][0-9a-f] | %7f
    | //
    | (?: \. | %2e ) (?: / | $ )
    """
)
_ABSOLUTE = re.compile(rb"(?i)https?://([^/?#]+)(.*)")


def refuse_ambiguous(raw_path: bytes) -> None:
    """Refuse a path, as it came over the wire, that does not mean the same to everybody."""
    if _PLAIN.fullmatch(raw_path) and b"//" not in raw_path:
        return
    if _AMBIGUOUS.search(raw_path):
        raise MalformedRequest(
            "The path holds an encoded slash, a dot or empty segment, a parameter or a control character."
        )
    if b"%" in raw_path:
        _refuse_odd_text(unquote_to_bytes(raw_path))


def _refuse_odd_text(path: bytes) -> None:
    try:
        text = path.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest("The path is not UTF-8.") from error
    # A full-width slash is a plain one to whoever folds text before reading it.
    if unicodedata.normalize("NFKC", text) != text or any(
        unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") for character in text
    ):
        raise MalformedRequest("The path holds characters that pass for others, or that cannot be seen.")


def origin_form(target: bytes, method: str, headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """Path and query of a request's target; a whole URL is taken where it names the host of `Host`."""
    if not target.startswith(b"/"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is not None:
            hosts = [value.lower() for name, value in headers if name == b"host"]
            if hosts != [absolute[1].lower()]:
                raise MalformedRequest("The target's host and `Host` are not one.")
            target = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]
        elif target != b"*" or method != "OPTIONS":
            raise MalformedRequest("The target of a request begins with a slash.")
    if b"#" in target:
        raise MalformedRequest("The target of a request has no fragment.")
    path, _, query = target.partition(b"?")
    return path, query
