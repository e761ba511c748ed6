"""The logs of all processes as one stream."""

from pathlib import Path

import pytest

from cli.logs import Line, Tail, rendered, time_of


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ('{"event": "x", "timestamp": "2026-11-22T17:23:24.938746Z"}', "2026-11-22T17:23:24.938746"),
        ("2026-11-22 17:23:23.029 UTC [13026] LOG:  ready", "2026-11-22T17:23:23.029000"),
        ("2026-11-22 17:09:14,418 - nx_27017 - INFO - ready", "2026-11-22T17:09:14.418000"),
        ("time=2026-11-22T17:09:19.003 level=WARN msg=x", "2026-11-22T17:09:19.003000"),
        ("7646:M 22 Nov 2026 17:09:19.135 * ready", "2026-11-22T17:09:19.135000"),
        ("    at the second line of something", None),
    ],
)
def test_every_server_tells_its_time_in_its_own_way(line: str, time: str | None) -> None:
    assert time_of(line) == time


def test_a_line_of_ours_is_readable() -> None:
    text = '{"event": "request", "level": "info", "status": 200, "timestamp": "2026-11-22T17:23:24.938746Z"}'

    shown = rendered(Line("2026-11-22T17:23:24.938746", "orders-api", text)).plain

    assert shown.split() == ["17:23:24.938", "orders-api", "request", "status=200"]


def test_a_line_of_a_server_is_shown_as_it_is() -> None:
    assert rendered(Line("", "postgres", "FATAL: no [more]")).plain.endswith("FATAL: no [more]")


def test_following_goes_on_after_what_was_shown_and_into_a_new_file(tmp_path: Path) -> None:
    log = tmp_path / "orders-api.log"
    log.write_text("one\ntwo\nthr")
    tail = Tail("orders-api", log)
    assert [line.text for line in tail.last(1)] == ["two"]

    with log.open("a") as file:
        file.write("ee\n")
    assert [line.text for line in tail.new()] == ["three"]

    log.replace(tmp_path / "orders-api.log.1")
    log.write_text("four\n")
    assert [line.text for line in tail.new()] == ["four"]
