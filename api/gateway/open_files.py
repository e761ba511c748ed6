"""Whether this process may open as many files as it is to have connections."""

import resource

from contracts.topology import SERVICES
from runtime.logs import get_logger
from runtime.settings import Settings

log = get_logger(__name__)

# For what is open beside clients and their requests: the listener, logs, Valkey, refused connections.
SPARE_FILES = 256


def within_open_files(settings: Settings) -> Settings:
    """The settings, with no more connections than there may be files; that limit is raised if it can be.

    A process without a file left reaches no service, and would take them for broken. Safe to repeat.
    """
    wanted, places = settings.max_connections, settings.upstream_concurrency * len(SERVICES)
    allowed = _allowed(files_for(wanted, places))
    fit = min(wanted, connections_within(allowed, places))
    if fit == wanted:
        return settings
    log.warning("connections_bounded_by_open_files", open_files=allowed, wanted=wanted, max_connections=fit)
    return settings.model_copy(update={"max_connections": fit})


def files_for(connections: int, places: int) -> int:
    """How many files so many clients need: each one, and one at a service while there is a place."""
    return connections + min(connections, places) + SPARE_FILES


def connections_within(files: int, places: int) -> int:
    """How many clients so many files are enough for; one in any case."""
    usable = files - SPARE_FILES
    return max(1, usable // 2, usable - places)


def _allowed(wanted: int) -> int:
    """How many files may be open, after asking for as many as are wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    asked = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (asked, hard))
    except (ValueError, OSError) as error:
        # Some systems have a lower limit than the one that they tell.
        log.warning("open_files_not_raised", open_files=soft, asked=asked, error=str(error))
        return soft
    return asked
