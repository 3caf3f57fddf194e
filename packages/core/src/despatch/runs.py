"""The folder of a run: everything that must outlast the processes that made it.

    .despatch/<run_id>/
        run.json         what the run is, and the state it reached
        settings.json    its settings as written: secrets stay references such as ``${PASSWORD}``
        snapshot.json    the state of the real system that it began with, where there was one
        records/         the journal of records, written by the simulator
        audit/           the journal of applied and refused commands, written by the simulator
        cursors.sqlite   each sink's cursor, account and dead letters, written by the courier
        report.json      the delivery report
        socket           where its courier answers who asks for its present state, while it lives
        lock             held by the simulator and its courier, for as long as either lives

The folder is for its owner's eyes only (mode 0700).
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from despatch.errors import RunError

if TYPE_CHECKING:
    from despatch.snapshots import Snapshot

__all__ = ["RunFolder", "RunInfo", "RunState", "new_run_id", "runs_in"]

RunState: TypeAlias = Literal["created", "connecting", "running", "draining", "finished", "failed"]


class RunInfo(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a run is.

    Attributes:
        run_id: Names the run for ever; ids sort by the time of making (UUID version 7, hex).
        name: The simulation's name.
        start: The wall time of simulated 0, with offset.
        created: When the run was made, UTC.
        seed: What its random streams were made from.
        factor: Wall seconds per simulated second at the start.
        state: The last state it reached. A folder that is not locked and says `running` belongs
            to a run that was killed.
        error: Why it failed.
        version: The version of despatch that made it.
        origin: The folder of the settings file, beside which the model was looked for; None for
            a run that a program made.
        keeps_statistics: Whether every resource keeps statistics that does not say otherwise.
        statistics_interval_s: At which interval they are published, in simulated seconds; None
            where they are not.
        resumed: The run that it took over from (`resume: last`); None where it started afresh.
        initial_time: The simulated time at which it began, in simulated seconds.
    """

    run_id: str
    name: str
    start: datetime
    created: datetime
    seed: int
    factor: float
    version: str
    state: RunState = "created"
    error: str | None = None
    origin: str | None = None
    keeps_statistics: bool = False
    statistics_interval_s: float | None = None
    resumed: str | None = None
    initial_time: float = 0.0


def new_run_id() -> str:
    """A new id: UUID version 7 in 32 hexadecimal digits (RFC 9562, section 5.7)."""
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62
    return f"{value | random & (1 << 62) - 1:032x}"


class RunFolder:
    """One run's folder.

    Attributes:
        path: Where it is.
        info: What the run is; `save` writes it.
    """

    def __init__(self, path: Path, info: RunInfo) -> None:
        self.path = path
        self.info = info
        self._lock_fd: int | None = None

    @classmethod
    def create(
        cls,
        root: Path,
        info: RunInfo,
        settings: Mapping[str, Any],
        snapshot: Snapshot | None = None,
    ) -> RunFolder:
        """Make the folder of a new run, locked by this process.

        Args:
            root: The folder of all runs; made where it is missing.
            info: What the run is.
            settings: The settings as written, with secrets unresolved.
            snapshot: The state of the real system that it begins with; None for none.

        Raises:
            RunError: The folder cannot be made.
        """
        folder = cls(root / info.run_id, info)
        try:
            folder.path.mkdir(mode=0o700, parents=True)
            _write(folder.path / "settings.json", msgspec.json.encode(settings))
            if snapshot is not None:
                _write(folder.snapshot_file, snapshot.model_dump_json().encode())
            folder.save()
        except OSError as error:
            raise RunError(
                f"{folder.path}: the run's folder cannot be made ({error.strerror}); "
                "`runs:` in the settings says where it goes"
            ) from error
        folder.lock()
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open the folder of an earlier run.

        Raises:
            RunError: There is no run here, or its description cannot be read.
        """
        try:
            info = msgspec.json.decode((path / "run.json").read_bytes(), type=RunInfo)
        except FileNotFoundError:
            raise RunError(
                f"{path}: no run here; `despatch runs list` shows those there are"
            ) from None
        except (OSError, msgspec.DecodeError) as error:
            raise RunError(f"{path / 'run.json'}: cannot be read: {error}") from error
        return cls(path, info)

    @property
    def records(self) -> Path:
        """The journal of records."""
        return self.path / "records"

    @property
    def audit(self) -> Path:
        """The journal of commands and their outcomes."""
        return self.path / "audit"

    @property
    def ledger(self) -> Path:
        """The courier's cursors and accounts."""
        return self.path / "cursors.sqlite"

    @property
    def report(self) -> Path:
        """The delivery report."""
        return self.path / "report.json"

    def settings(self) -> dict[str, Any]:
        """The settings as written, with secrets unresolved."""
        try:
            raw: dict[str, Any] = msgspec.json.decode((self.path / "settings.json").read_bytes())
        except (OSError, msgspec.DecodeError) as error:
            raise RunError(f"{self.path / 'settings.json'}: cannot be read: {error}") from error
        return raw

    @property
    def socket_note(self) -> Path:
        """Says where the courier listens, while it does: a text, the path of a socket."""
        return self.path / "socket"

    @property
    def snapshot_file(self) -> Path:
        """The state of the real system that it began with, where there was one."""
        return self.path / "snapshot.json"

    def snapshot(self) -> Snapshot | None:
        """The state of the real system that it began with; None where there was none.

        Raises:
            RunError: It cannot be read.
        """
        # pydantic takes its time to import: to list runs does not need it.
        from despatch.snapshots import Snapshot

        try:
            return Snapshot.model_validate_json(self.snapshot_file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RunError(f"{self.snapshot_file}: cannot be read: {error}") from error

    def save(self) -> None:
        """Write `info`, whole or not at all."""
        _write(self.path / "run.json", msgspec.json.encode(self.info))

    def save_report(self, report: bytes) -> None:
        """Write the delivery report, whole or not at all."""
        _write(self.report, report)

    def lock(self) -> int:
        """Take the folder for this process and those that inherit the descriptor.

        Raises:
            RunError: Another process has it.
        """
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise RunError(
                f"{self.path}: the run is still going on, or its courier is still delivering"
            ) from None
        self._lock_fd = fd
        return fd

    @property
    def lock_fd(self) -> int:
        """The descriptor that holds the lock, for a courier to inherit."""
        if self._lock_fd is None:
            raise RunError(f"{self.path}: not locked by this process")
        return self._lock_fd

    def unlock(self) -> None:
        """Let go of the folder, unless a courier that inherited the lock still holds it."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def is_locked(self) -> bool:
        """Whether some process has the folder at this moment."""
        try:
            fd = os.open(self.path / "lock", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False


def runs_in(root: Path, unreadable: list[RunError] | None = None) -> Iterator[RunFolder]:
    """The runs in a folder, oldest first; folders that are no runs are passed over.

    Args:
        root: The folder of all runs.
        unreadable: Takes what is wrong with runs whose description cannot be read, so that they
            hide no others.

    Raises:
        RunError: A run's description cannot be read, and nobody takes the error.
    """
    if not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        if not (path / "run.json").is_file():
            continue
        try:
            folder = RunFolder.open(path)
        except RunError as error:
            if unreadable is None:
                raise
            unreadable.append(error)
        else:
            yield folder


def _write(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    beside.replace(path)
