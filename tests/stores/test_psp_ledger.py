import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.psp import rules
from sandbox.psp.books import Books
from sandbox.psp.errors import LedgerError
from sandbox.psp.ledger import Ledger
from sandbox.psp.models import Act, Authorize, Entry

NOW = datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def charge(number: int, token: str = "tok_ok") -> Entry:
    call = rules.Call(f"key-{number}", "/v1/authorizations", f"print-{number}", NOW)
    wanted = Authorize(amount=100 + number, currency="EUR", token=token, reference="größe\n")
    return rules.authorize(call, wanted, f"auth_{number}", "http://psp.test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "ledger.jsonl"


def content(path: Path) -> bytes:
    return path.read_bytes()


def replace(path: Path, data: bytes) -> None:
    path.write_bytes(data)


async def write(path: Path, *entries: Entry) -> None:
    ledger = Ledger.open(path, lambda _: None)
    for entry in entries:
        await ledger.append(entry)
    await ledger.close()


async def read(path: Path) -> list[Entry]:
    entries: list[Entry] = []
    await Ledger.open(path, entries.append).close()
    return entries


async def test_a_restart_reads_what_was_appended(path: Path) -> None:
    await write(path, charge(1), charge(2, "tok_declined"))
    await write(path, charge(3))
    entries = await read(path)
    assert [entry.seq for entry in entries] == [1, 2, 3]
    expected = [charge(1), charge(2, "tok_declined"), charge(3)]
    assert [entry.model_copy(update={"seq": 0}) for entry in entries] == expected


async def test_the_books_are_the_same_after_a_replay(path: Path) -> None:
    before, after = Books(), Books()
    ledger = Ledger.open(path, before.apply)

    async def record(entry: Entry) -> None:
        before.apply(await ledger.append(entry))

    call = rules.Call("key-change", "/x", "print", NOW)
    await record(charge(1))
    await record(charge(2))
    await record(charge(3, "tok_declined"))
    await record(rules.capture(call, before.authorizations["auth_1"], 60))
    await record(rules.refund(call, before.authorizations["auth_1"], 20))
    await record(rules.void(call, before.authorizations["auth_2"]))
    await record(charge(4, "tok_action_required"))
    acted = rules.act(rules.Call("", "/x", "", NOW), before.authorizations["auth_4"], Act(outcome="approve"))
    assert acted is not None
    await record(acted)
    await record(charge(5, "tok_capture_fails"))
    await record(rules.capture(call, before.authorizations["auth_5"], None))
    wanted = Authorize(amount=1, currency="EUR", token="tok_error_once", reference="r")
    await record(rules.fault(rules.Call("key-fault", "/x", "print", NOW), wanted))
    await ledger.close()

    await Ledger.open(path, after.apply).close()
    assert vars(after) == vars(before)
    assert after.authorizations["auth_1"].refunded == 20
    assert after.faulted == {"key-fault"}
    assert "key-fault" not in after.answers
    assert after.authorizations["auth_4"].status == "authorized"
    assert not after.authorizations["auth_5"].refuses_capture


@pytest.mark.parametrize("tail", [b'{"seq":3,"ti', b'{"seq":3,"ti\n', b"\0\0\0\0", b"\0\0\n"])
async def test_a_torn_last_line_is_cut_off(path: Path, tail: bytes) -> None:
    await write(path, charge(1), charge(2))
    whole = content(path)
    replace(path, whole + tail)
    await write(path, charge(3))
    assert content(path).startswith(whole + b'{"seq":3,')
    assert [entry.key for entry in await read(path)] == ["key-1", "key-2", "key-3"]


async def test_a_last_line_without_its_newline_was_never_answered(path: Path) -> None:
    await write(path, charge(1), charge(2))
    replace(path, content(path).removesuffix(b"\n"))
    assert [entry.key for entry in await read(path)] == ["key-1"]


@pytest.mark.parametrize("broken", [b"nonsense\n", b"\n", b'{"seq":2}\n', b""])
async def test_a_corrupt_line_in_the_middle_refuses_to_open(path: Path, broken: bytes) -> None:
    await write(path, charge(1), charge(2), charge(3))
    first, _, last = content(path).splitlines(keepends=True)
    damaged = first + broken + last
    replace(path, damaged)
    with pytest.raises(LedgerError, match="line 2 is corrupt"):
        Ledger.open(path, lambda _: None)
    assert content(path) == damaged


async def test_a_line_about_an_unknown_authorization_is_corrupt(path: Path) -> None:
    authorization = rules.opened(charge(9), "auth_9")
    await write(path, rules.capture(rules.Call("k", "/x", "print", NOW), authorization, None))
    with pytest.raises(LedgerError, match="line 1 is corrupt"):
        Ledger.open(path, Books().apply)


async def test_appends_that_arrive_together_share_one_fsync(path: Path) -> None:
    synced: list[int] = []

    def fsync(fd: int) -> None:
        os.fsync(fd)
        synced.append(path.stat().st_size)

    ledger = Ledger.open(path, lambda _: None, fsync)
    synced.clear()
    written = await asyncio.gather(*(ledger.append(charge(number)) for number in range(50)))
    assert synced == [len(content(path))]
    assert [entry.seq for entry in written] == list(range(1, 51))
    await ledger.close()
    assert await read(path) == written


async def test_nobody_is_told_before_the_fsync(path: Path) -> None:
    loop = asyncio.get_running_loop()
    reached, allowed = asyncio.Event(), asyncio.Event()
    held = False

    def fsync(fd: int) -> None:
        if held:
            loop.call_soon_threadsafe(reached.set)
            asyncio.run_coroutine_threadsafe(allowed.wait(), loop).result()
        os.fsync(fd)

    ledger = Ledger.open(path, lambda _: None, fsync)
    held = True
    waiting = asyncio.create_task(ledger.append(charge(1)))
    await reached.wait()
    assert not waiting.done()
    assert await ledger.read() == b"", "a line is shown that may not survive"
    allowed.set()
    await waiting
    assert await ledger.read() == content(path) != b""
    await ledger.close()


async def test_after_a_failed_fsync_nothing_more_is_accepted(path: Path) -> None:
    failing = False

    def fsync(fd: int) -> None:
        if failing:
            raise OSError(5, "Input/output error")

    ledger = Ledger.open(path, lambda _: None, fsync)
    await ledger.append(charge(1))
    failing = True
    for number in (2, 3):
        with pytest.raises(LedgerError):
            await ledger.append(charge(number))
    assert not ledger.healthy
    await ledger.close()
    assert "key-3" not in {entry.key for entry in await read(path)}


async def test_two_processes_do_not_share_a_ledger(path: Path) -> None:
    first = Ledger.open(path, lambda _: None)
    with pytest.raises(LedgerError, match="another process"):
        Ledger.open(path, lambda _: None)
    await first.close()
    await read(path)
