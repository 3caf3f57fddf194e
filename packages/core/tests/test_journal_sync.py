from __future__ import annotations

import asyncio
import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from despatch.courier.journal_sync import JournalSync
from despatch.journal import JournalWriter, segments
from despatch.runs import RunFolder, RunInfo
from despatch.settings import JournalSettings


@pytest.fixture
def synced(monkeypatch):
    """The names of what was synced, in order."""
    seen = []

    def note(fd):
        seen.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "fdatasync", note)
    return seen


@pytest.fixture
def journal(tmp_path):
    with JournalWriter(tmp_path / "records", {}, segment_bytes=100) as writer:
        yield writer


def write(journal, text="x"):
    journal.append([text])
    journal.flush()


def test_what_was_written_is_synced_with_the_folder_that_lists_it(tmp_path, journal, synced):
    folder = tmp_path / "records"
    write(journal)
    JournalSync([folder], 1.0)._sync_all()
    assert synced[:2] == [segments(folder)[0].name, "records"]


def test_each_segment_is_synced_that_was_written_to_since_the_last_time(tmp_path, journal, synced):
    folder = tmp_path / "records"
    sync = JournalSync([folder], 1.0)
    write(journal)
    sync._sync_all()
    synced.clear()
    for _ in range(3):
        write(journal, "x" * 100)
    sync._sync_all()
    names = [path.name for path in segments(folder)]
    assert len(names) == 4
    # The first has grown no further.
    assert [name for name in synced if name.endswith("journal")] == names[1:]


def test_a_segment_that_grew_before_the_next_began_is_synced_once_more(tmp_path, journal, synced):
    folder = tmp_path / "records"
    sync = JournalSync([folder], 1.0)
    sync._sync_all()
    synced.clear()
    write(journal)
    write(journal, "x" * 100)
    sync._sync_all()
    names = [path.name for path in segments(folder)]
    assert [name for name in synced if name.endswith("journal")] == names[:2]


def test_a_journal_that_does_not_grow_costs_nothing(tmp_path, journal, synced):
    sync = JournalSync([tmp_path / "records"], 1.0)
    write(journal)
    sync._sync_all()
    synced.clear()
    sync._sync_all()
    assert synced == []


def test_a_segment_that_is_removed_meanwhile_is_passed_over(tmp_path, journal, monkeypatch, synced):
    folder = tmp_path / "records"
    write(journal)
    write(journal, "x" * 100)
    names = [path.name for path in segments(folder)]
    os_open = os.open

    def remove_first(path, flags):
        (folder / names[0]).unlink(missing_ok=True)
        return os_open(path, flags)

    monkeypatch.setattr(os, "open", remove_first)
    JournalSync([folder], 1.0)._sync_all()
    assert [name for name in synced if name.endswith("journal")] == names[1:]


def test_a_disk_that_fails_is_reported_once_and_tried_again(
    tmp_path, journal, monkeypatch, caplog, synced
):
    write(journal)
    sync = JournalSync([tmp_path / "records"], 1.0)
    with monkeypatch.context() as patched:

        def fail(fd):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        patched.setattr(os, "fdatasync", fail)
        sync._sync_all()
        sync._sync_all()
    assert len(caplog.messages) == 1
    assert "cannot be synced to disk: " in caplog.text
    sync._sync_all()
    assert segments(tmp_path / "records")[0].name in synced


def test_it_syncs_at_intervals_and_once_more_at_the_end(tmp_path, journal, synced):
    async def play():
        task = asyncio.create_task(JournalSync([tmp_path / "records"], 0.001).run())
        for _ in range(3):
            write(journal)
            before = len(synced)
            while len(synced) == before:
                await asyncio.sleep(0.001)
        quiet = asyncio.create_task(JournalSync([tmp_path / "records"], 3600.0).run())
        await asyncio.sleep(0)
        before = len(synced)
        for each in (task, quiet):
            each.cancel()
        await asyncio.wait([task, quiet])
        assert len(synced) > before

    asyncio.run(play())


@pytest.mark.parametrize(("sync", "count"), [("os", 0), ("interval", 2), ("frame", 0)])
def test_a_run_has_both_its_journals_synced_if_it_says_so(tmp_path, sync, count, synced):
    now = datetime.now(UTC)
    info = RunInfo(run_id="a", name="a", start=now, created=now, seed=1, factor=0.0, version="0")
    run = RunFolder.create(tmp_path, info, {})
    run.unlock()
    for folder in (run.records, run.audit):
        JournalWriter(folder, {}).close()

    async def play():
        settings = JournalSettings.model_validate({"sync": sync, "sync_interval": "1h"})
        task = asyncio.create_task(JournalSync.of(run, settings).run())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(play())
    assert len([name for name in synced if name.endswith("journal")]) == count
