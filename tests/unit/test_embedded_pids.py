"""Ending processes by number without ever hitting another one."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from runtime.embedded.pids import Pid, stop
from runtime.embedded.supervised import LONGEST_DELAY_SECONDS, SETTLED_SECONDS, next_delay

PATIENT = 10.0
BRIEF = 0.1


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ignores SIGTERM, and says so once it does."""
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def pid_of(process: subprocess.Popen[bytes]) -> Pid:
    pid = Pid.of(process.pid)
    assert pid is not None
    return pid


def test_a_process_is_asked_to_end(sleeper: subprocess.Popen[bytes]) -> None:
    assert stop([(pid_of(sleeper), signal.SIGTERM)], PATIENT) == []
    assert sleeper.wait() == -signal.SIGTERM


def test_one_that_does_not_listen_is_killed(stubborn: subprocess.Popen[bytes]) -> None:
    pid = pid_of(stubborn)

    assert stop([(pid, signal.SIGTERM)], BRIEF) == [pid]
    assert stubborn.wait() == -signal.SIGKILL


def test_a_frozen_one_ends_as_asked(sleeper: subprocess.Popen[bytes]) -> None:
    pid = pid_of(sleeper)
    os.kill(sleeper.pid, signal.SIGSTOP)

    assert stop([(pid, signal.SIGTERM)], PATIENT) == []


def test_a_number_that_belongs_to_another_process_now_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    before = pid_of(sleeper)
    reused = Pid(number=before.number, started=before.started - 1)

    stop([(reused, signal.SIGKILL)], BRIEF)

    assert not reused.is_alive
    assert before.is_alive


def test_a_zombie_has_ended(sleeper: subprocess.Popen[bytes]) -> None:
    pid = pid_of(sleeper)
    sleeper.kill()
    # Its end is seen without collecting it.
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)

    assert not pid.is_alive


def test_delays_grow_to_a_limit_and_begin_anew_after_a_long_life() -> None:
    delays = [next_delay(None, 0)]
    while delays[-1] < LONGEST_DELAY_SECONDS:
        delays.append(next_delay(delays[-1], 0))

    assert delays[:3] == [0.2, 0.4, 0.8]
    assert next_delay(LONGEST_DELAY_SECONDS, 0) == LONGEST_DELAY_SECONDS
    assert next_delay(LONGEST_DELAY_SECONDS, SETTLED_SECONDS) == 0.2
