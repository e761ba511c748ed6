"""No lock goes below the versions that mended what is publicly known; `make audit` asks for what is news."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
# What has to be there, and what may be missing but then not be older.
REQUIRED = {"joserfc": (1, 7, 4), "authlib": (1, 7, 2), "starlette": (1, 3, 1), "aiohttp": (3, 14, 4)}
REQUIRED |= {"redis": (4, 5, 4)}
IF_THERE = {"pyjwt": (2, 15), "python-multipart": (0, 0, 31)}
REFUSED = {"python-jose"}

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([0-9][^\s;\\]*)", re.MULTILINE)


def pins_of(lock: str) -> dict[str, tuple[int, ...]]:
    """The exact versions that a lock names."""
    return {
        re.sub(r"[-_.]+", "-", name).lower(): tuple(int(part) for part in re.findall(r"\d+", version))
        for name, version in _PIN.findall(lock)
    }


@pytest.fixture(params=LOCKS, ids=lambda path: str(path.name))
def pins(request: pytest.FixtureRequest) -> dict[str, tuple[int, ...]]:
    return pins_of(request.param.read_text())


def test_there_are_locks() -> None:
    assert {path.name for path in LOCKS} >= {"requirements.lock", "requirements-dev.lock"}


def test_nothing_is_older_than_its_floor(pins: dict[str, tuple[int, ...]]) -> None:
    floors = REQUIRED | {name: floor for name, floor in IF_THERE.items() if name in pins}
    below = {name: pins.get(name) for name, floor in floors.items() if pins.get(name, ()) < floor}
    assert below == {}


def test_what_nobody_mends_is_not_there(pins: dict[str, tuple[int, ...]]) -> None:
    assert not REFUSED & pins.keys()


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: str(path.name))
def test_each_pin_comes_with_its_hashes(path: Path) -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", path.read_text())
    unhashed = [entry.split()[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry]
    assert unhashed == []


def test_pins_are_read_as_they_stand_in_a_lock() -> None:
    lock = (
        "# python_jose==1\nPyJWT==2.9.0 \\\n    --hash=sha256:0\nSome_Thing[x]==1.10 ; python_version < '4'\n"
    )
    assert pins_of(lock) == {"pyjwt": (2, 9, 0), "some-thing": (1, 10)}
