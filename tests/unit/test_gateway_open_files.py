"""How many connections fit into the files that a process may open."""

import subprocess
import sys

import pytest

from api.gateway.open_files import SPARE_FILES, connections_within, files_for

TRY = """
import resource, sys
from api.gateway.open_files import within_open_files
from runtime.settings import Settings
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
settings = within_open_files(Settings(max_connections=int(sys.argv[3])))
print(settings.max_connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(("connections", "places"), [(1, 1), (10, 8_192), (10_000, 8_192), (10_000, 8)])
def test_as_many_fit_as_files_are_asked_for(connections: int, places: int) -> None:
    assert connections_within(files_for(connections, places), places) == connections


@pytest.mark.parametrize("files", [0, SPARE_FILES, SPARE_FILES + 2, 1_024, 4_096, 65_536])
def test_what_fits_needs_no_more_files_than_there_are(files: int) -> None:
    fit = connections_within(files, 8_192)
    assert fit == 1 or files_for(fit, 8_192) <= files
    assert files_for(fit + 2, 8_192) > files


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "fit", "raised", "told"),
    [
        (300, 1_000, 10, 10, 300, False),
        (300, 1_000, 100, 100, 100 + 100 + SPARE_FILES, False),
        (300, 1_000, 10_000, (1_000 - SPARE_FILES) // 2, 1_000, True),
    ],
    ids=["enough", "enough when asked for", "too few"],
)
def test_a_process_asks_for_files_and_says_so_when_they_are_too_few(
    soft: int, hard: int, wanted: int, fit: int, raised: int, told: bool
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(soft), str(hard), str(wanted)],
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{fit} {raised}"
    assert ("connections_bounded_by_open_files" in said) is told
