"""What kinds of processes there are, and in which order they stop."""

from enum import StrEnum


class Kind(StrEnum):
    SERVER = "server"
    SANDBOX = "sandbox"
    API = "api"
    WORKER = "worker"
    GATEWAY = "gateway"


# Whoever calls goes before whoever is called.
STOP_ORDER = (Kind.GATEWAY, Kind.API, Kind.WORKER, Kind.SANDBOX, Kind.SERVER)
