"""What the ledger adds up to: rebuilt from its lines on start, kept up to date line by line."""

from dataclasses import dataclass

from sandbox.psp import rules
from sandbox.psp.models import Authorization, Entry, Kind

# The first of an authorization's lines; a later one of these kinds is what its buyer did at the bank.
_OPENING = frozenset({Kind.REQUIRES_ACTION, Kind.AUTHORIZED, Kind.DECLINED})


@dataclass(frozen=True)
class Answer:
    """What a key was answered with, to the byte."""

    fingerprint: str
    status: int
    body: str


class Books:
    def __init__(self) -> None:
        self.authorizations: dict[str, Authorization] = {}
        self.answers: dict[str, Answer] = {}
        self.faulted: set[str] = set()
        self._by_key: dict[str, str] = {}
        self._by_reference: dict[str, list[str]] = {}

    def apply(self, entry: Entry) -> None:
        """Take one durable line into account. Not safe to repeat."""
        if entry.kind is Kind.FAULTED:
            self.faulted.add(entry.key)
            return
        id_ = entry.authorization_id or ""
        if entry.kind in _OPENING and id_ not in self.authorizations:
            self.authorizations[id_] = rules.opened(entry, id_)
            self._by_key[entry.key] = id_
            self._by_reference.setdefault(entry.reference, []).append(id_)
        else:
            self.authorizations[id_] = rules.moved(self.authorizations[id_], entry.kind, entry.amount)
        if entry.key:
            self.answers[entry.key] = Answer(entry.fingerprint, entry.status, entry.body)

    def find(self, key: str | None, reference: str | None) -> list[Authorization]:
        """The authorizations that were opened with this key and this reference, oldest first."""
        if key is not None:
            ids = [self._by_key[key]] if key in self._by_key else []
        elif reference is not None:
            ids = self._by_reference.get(reference, [])
        else:
            return list(self.authorizations.values())
        found = [self.authorizations[id_] for id_ in ids]
        return [one for one in found if reference is None or one.reference == reference]
