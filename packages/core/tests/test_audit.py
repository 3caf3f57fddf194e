from __future__ import annotations

import asyncio
import os
import threading

import pytest

from despatch.courier.audit import AuditSync
from despatch.journal import JournalWriter, segments


@pytest.fixture
def synced(monkeypatch):
    """The names of the files that were synced, in order."""
    names = []
    fsync = os.fsync

    def note(fd):
        names.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", note)
    return names


@pytest.fixture
def writer(tmp_path):
    with JournalWriter(tmp_path, {}) as writer:
        yield writer


def write(writer, count):
    for _ in range(count):
        writer.append([0.0, None, "", {}])
    writer.flush()
    return writer.end


def test_the_journal_is_synced_before_anyone_is_told(tmp_path, writer, synced):
    end = write(writer, 3)
    asyncio.run(AuditSync(tmp_path).until(end))
    assert synced == [segments(tmp_path)[0].name]


def test_what_is_on_disk_is_not_synced_again(tmp_path, writer, synced):
    end = write(writer, 3)

    async def run():
        audit = AuditSync(tmp_path)
        await audit.until(end)
        await audit.until(end - 1)
        await audit.until(end)

    asyncio.run(run())
    assert len(synced) == 1


def test_what_was_written_since_is_synced(tmp_path, writer, synced):
    async def run():
        audit = AuditSync(tmp_path)
        await audit.until(write(writer, 1))
        await audit.until(write(writer, 1))

    asyncio.run(run())
    assert len(synced) == 2


def test_many_who_wait_at_once_share_a_sync(tmp_path, writer, synced):
    write(writer, 100)

    async def run():
        audit = AuditSync(tmp_path)
        await asyncio.gather(*(audit.until(end) for end in range(1, 101)))

    asyncio.run(run())
    assert len(synced) <= 2


def test_one_who_comes_during_a_sync_waits_for_the_next(tmp_path, writer, synced, monkeypatch):
    may_go_on = threading.Event()
    began = threading.Event()
    fsync = os.fsync

    def held_up(fd):
        began.set()
        may_go_on.wait(30)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", held_up)

    async def run():
        audit = AuditSync(tmp_path)
        first = asyncio.create_task(audit.until(write(writer, 1)))
        await asyncio.to_thread(began.wait)
        late = asyncio.create_task(audit.until(write(writer, 1)))
        await asyncio.sleep(0)
        assert not late.done()
        may_go_on.set()
        await asyncio.gather(first, late)

    asyncio.run(run())
    # The sync that was under way may have missed what came during it.
    assert len(synced) == 2


def test_the_segment_before_the_last_is_synced_too(tmp_path, synced):
    with JournalWriter(tmp_path, {}, segment_bytes=1) as writer:
        for _ in range(4):
            write(writer, 1)
        asyncio.run(AuditSync(tmp_path).until(writer.end))
    assert synced == [path.name for path in segments(tmp_path)[-2:]]
    assert len(set(synced)) == 2


def test_a_sync_that_fails_is_told_and_not_taken_for_done(tmp_path, writer, monkeypatch):
    end = write(writer, 1)
    fsync = os.fsync

    def fail_once(fd):
        monkeypatch.setattr(os, "fsync", fsync)
        raise OSError("input/output error")

    monkeypatch.setattr(os, "fsync", fail_once)

    async def run():
        audit = AuditSync(tmp_path)
        with pytest.raises(OSError, match="input/output"):
            await audit.until(end)
        syncs = []
        monkeypatch.setattr(os, "fsync", syncs.append)
        await audit.until(end)
        return syncs

    assert len(asyncio.run(run())) == 1
