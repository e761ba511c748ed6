"""Passwords that are tried first: common ones, names, words, and what everybody knows of their owner."""

import gzip
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("common_passwords.txt.gz")
_OURS = frozenset({"micromart", "micro mart"})
_FEWEST_CHARACTERS = 4
# A year, an exclamation mark, a door number: what is added when a form asks for more than a word.
_TAIL = re.compile(r"[\d\W_]{1,6}$")
_DISGUISE = str.maketrans("@$!013457", "asioieast")


def is_common(password: str, about: Iterable[str] = ()) -> bool:
    """Whether it is one of the first guesses, about anybody or about whom these words tell of."""
    lowered = password.casefold()
    if lowered.isdigit() or len(set(lowered)) < _FEWEST_CHARACTERS:
        return True
    known = _OURS | {word.casefold() for word in about}
    return any(guess in known or guess in _common() for guess in _guesses(lowered))


def _guesses(password: str) -> set[str]:
    plain = _TAIL.sub("", password)
    return {password, plain, password.translate(_DISGUISE), plain.translate(_DISGUISE)}


@cache
def _common() -> frozenset[str]:
    with gzip.open(_LIST, "rt", encoding="utf-8") as lines:
        return frozenset(line.rstrip("\n") for line in lines if not line.startswith("#"))
