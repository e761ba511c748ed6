"""How our own processes prove themselves to one another: a short-lived word, meant for one listener."""

import time

from contracts.errors import Forbidden, Unauthenticated
from runtime.signed_word import NotReadable, NotSigned, SignedWord

# Made anew for every call; this only bounds what a leaked header is worth.
LIFETIME_SECONDS = 60


class UnknownService(Unauthenticated):
    """A call that none of our processes made, or that was meant for another one."""

    code = "auth.service_invalid"


class ServiceNotAllowed(Forbidden):
    """A call of a process of ours that has no business with this route."""

    code = "auth.service_not_allowed"


class ServiceProof:
    """Makes and checks the word of one process, with a secret that only our own hold."""

    def __init__(self, secret: str, name: str) -> None:
        self._word = SignedWord("service", secret)
        self._name = name

    def for_listener(self, listener: str, *, now: float | None = None) -> str:
        """The header that tells `listener` who calls."""
        claims = {
            "from": self._name,
            "to": listener,
            "exp": int(now if now is not None else time.time()) + LIFETIME_SECONDS,
        }
        return self._word.write(claims)

    def caller(self, header: str, *, now: float | None = None) -> str:
        """The name of the process that calls us; UnknownService unless the word holds and is meant for us."""
        try:
            claims = self._word.read(header)
        except NotSigned as error:
            raise UnknownService("this call was not made by a process of ours") from error
        except NotReadable as error:
            raise UnknownService("this call's proof cannot be read") from error
        if claims["to"] != self._name:
            raise UnknownService("this call's proof was meant for another service")
        if claims["exp"] < (now if now is not None else time.time()):
            raise UnknownService("this call's proof has expired")
        return str(claims["from"])
