from api.gateway.patience import Progress


def test_what_moves_fast_enough_has_not_stalled() -> None:
    progress = Progress(10.0, 100.0, now=0.0)
    assert [progress.has_stalled(now, count) for now, count in [(5, 0), (10, 1_000), (20, 2_000)]] == [
        False
    ] * 3


def test_a_window_with_too_little_in_it_is_a_stall() -> None:
    progress = Progress(10.0, 100.0, now=0.0)
    assert not progress.has_stalled(10.0, 1_000)
    assert progress.has_stalled(20.0, 1_999)


def test_a_pause_that_was_not_the_senders_begins_the_window_anew() -> None:
    progress = Progress(10.0, 100.0, now=0.0)
    progress.restart(9.0, 0)
    assert not progress.has_stalled(18.0, 0)
    assert progress.has_stalled(19.0, 999)
