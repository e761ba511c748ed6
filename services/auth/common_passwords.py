"""Passwords that are tried first: common ones, names, words, and what everybody knows of their owner."""

import gzip
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("common_passwords.txt.gz")
_OURS = "micromart"
_FEWEST_CHARACTERS = 4
# A year, an exclamation mark, a door number: what is added when a form asks for more than a word.
_HEAD, _TAIL = re.compile(r"^[\d\W_]{1,6}"), re.compile(r"[\d\W_]{1,6}$")
_BETWEEN = re.compile(r"[\W_]+")
# The same again and again, or twice with something between: no more than one way to read any text.
_REPEATED = re.compile(r"(.+?)(?:\1+|[\d\W_]{1,6}\1)", re.DOTALL)
_DISGUISE = str.maketrans("@$!013457", "asioieast")


def is_common(password: str, about: Iterable[str] = ()) -> bool:
    """Whether it is one of the first guesses, about anybody or about whom these words tell of."""
    lowered = password.casefold()
    if lowered.isdigit() or len(set(lowered)) < _FEWEST_CHARACTERS:
        return True
    known = {_joined(word.casefold()) for word in (_OURS, *about)} - {""}
    return any(guess in _common() or _joined(guess) in known for guess in _guesses(lowered))


def _guesses(password: str) -> set[str]:
    """What it was made from, as people make one from a word: said twice, with more around it, disguised."""
    guesses = {password}
    for step in (_once, _without_tail, _without_head, _once, _undisguised):
        guesses |= {step(guess) for guess in guesses}
    return guesses


def _once(text: str) -> str:
    repeated = _REPEATED.fullmatch(text)
    return repeated[1] if repeated is not None else text


def _without_head(text: str) -> str:
    return _HEAD.sub("", text)


def _without_tail(text: str) -> str:
    return _TAIL.sub("", text)


def _undisguised(text: str) -> str:
    return text.translate(_DISGUISE)


def _joined(text: str) -> str:
    """The same without what stands between words."""
    return _BETWEEN.sub("", text)


@cache
def _common() -> frozenset[str]:
    with gzip.open(_LIST, "rt", encoding="utf-8") as lines:
        return frozenset(line.rstrip("\n") for line in lines if not line.startswith("#"))
