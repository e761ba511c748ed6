"""The data folder of the embedded platform."""

import json
from pathlib import Path

import pytest

from runtime.embedded import connection_settings
from runtime.embedded.errors import PlatformError
from runtime.embedded.folder import DataFolder


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


def test_a_secret_is_made_once_and_a_new_one_beside_it(folder: DataFolder) -> None:
    first = folder.secrets(["one"])

    both = folder.secrets(["one", "two"])

    assert both["one"] == first["one"]
    assert len({*both.values()}) == 2


def test_secrets_are_readable_by_their_owner_alone(folder: DataFolder) -> None:
    folder.secrets(["one"])

    assert (folder.path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_another_layout_is_refused(folder: DataFolder) -> None:
    (folder.path / "format.json").write_text(json.dumps({"layout": 2}))

    with pytest.raises(PlatformError, match="has layout 2, this version uses 1"):
        folder.prepare()


def test_a_damaged_file_is_named(folder: DataFolder) -> None:
    (folder.path / "secrets.json").write_text("{")

    with pytest.raises(PlatformError, match=r"secrets\.json is damaged"):
        folder.secrets(["one"])


def test_a_log_begins_anew_and_the_one_before_is_kept(folder: DataFolder) -> None:
    for text in ("first", "second", "third"):
        folder.rotate_log("orders-api").write_text(text)

    assert folder.log("orders-api").read_text() == "third"
    assert (folder.logs / "orders-api.log.1").read_text() == "second"


def test_nothing_running_has_no_connections(tmp_path: Path) -> None:
    assert connection_settings(tmp_path / "nothing") == {}
