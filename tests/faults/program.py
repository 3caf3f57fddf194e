"""The publishing model as a program of its own, ``despatch run``, to be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from despatch.courier.ledger import Ledger
from despatch.history import PastRun, past_runs
from despatch.journal import JournalReader
from despatch.runs import RunFolder, runs_in
from faults import publishing
from faults.publishing import read_notes
from faults.sinks import Sink
from processes import CommandLines, courier_of, kill, wait_until


class Program:
    """Runs the model by its command line, again and again, in one folder.

    Args:
        folder: Where the settings, the model and the runs are.
        sinks: The sinks of every run.
        factor: Wall seconds for each simulated second, in which `publishing.PER_S` records are
            published.
    """

    def __init__(self, folder: Path, sinks: Sequence[Sink], factor: float) -> None:
        self.folder = folder
        self.sinks = sinks
        self.lines = CommandLines(folder)
        self._settings = folder / "faults.json"
        settings: dict[str, Any] = {
            "name": "faults",
            "model": "publishing:publish_and_note",
            "clock": {"factor": factor},
            "journal": {"flush": {"interval": "10ms"}},
            "egress": [sink.entry() for sink in sinks],
        }
        self._settings.write_text(json.dumps(settings))
        (folder / "publishing.py").write_bytes(Path(publishing.__file__).read_bytes())

    @property
    def runs(self) -> list[RunFolder]:
        """The runs there are, the oldest first."""
        return list(runs_in(self.folder / ".despatch"))

    def past_runs(self) -> list[PastRun]:
        """What became of the runs."""
        return past_runs(self.folder / ".despatch")

    def start(self) -> Killable:
        """Start a run."""
        before = {folder.path for folder in self.runs}
        (self.folder / publishing.NOTES).unlink(missing_ok=True)
        return Killable(self, self.lines.start("run", self._settings, "--json"), before)


class Killable:
    """One run of a program.

    Attributes:
        process: The simulator.
    """

    def __init__(self, program: Program, process: subprocess.Popen[str], before: set[Path]) -> None:
        self.process = process
        self._program = program
        self._before = before
        self._folder: RunFolder | None = None

    @property
    def folder(self) -> RunFolder | None:
        """The run's folder; None before it is made."""
        if self._folder is None:
            new = [each for each in self._program.runs if each.path not in self._before]
            self._folder = new[0] if new else None
        return self._folder

    @property
    def path(self) -> Path:
        """Where the run's folder is."""
        assert self.folder is not None
        return self.folder.path

    @property
    def has_begun(self) -> bool:
        """Whether it came so far that there is a run to be accounted for."""
        return self.folder is not None

    def positions(self) -> list[int]:
        """How far each sink has come."""
        if self.folder is None or not self.folder.ledger.exists():
            return [0] * len(self._program.sinks)
        ledger = Ledger(self.folder.ledger)
        try:
            return [ledger.cursor(sink.connector).position for sink in self._program.sinks]
        finally:
            ledger.close()

    def wait_all_beyond(self, positions: Sequence[int]) -> None:
        """Wait until every sink has come further than this."""
        wait_until(
            lambda: all(now > then for now, then in zip(self.positions(), positions, strict=True)),
            f"progress of every sink beyond {positions}",
        )

    def kill_courier(self) -> None:
        """Kill the courier, as soon as there is one."""
        pid = wait_until(lambda: courier_of(self.process.pid), "a courier")
        kill(pid)
        wait_until(lambda: courier_of(self.process.pid) != pid, "the end of the courier")

    def kill_simulator(self) -> None:
        """Kill the simulator, and wait until its courier has done what is left to do."""
        kill(self.process.pid)
        self.process.communicate()
        self._wait_let_go()

    def kill_both(self) -> None:
        """Kill both at once, as when their machine's memory is full."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        self._wait_let_go()

    def _wait_let_go(self) -> None:
        folder = self.folder
        if folder is not None:
            wait_until(lambda: not folder.is_locked(), "the end of the courier")

    def stop(self) -> tuple[int, dict[str, Any], str]:
        """End the run in order: exit status, report, what it said."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=100)
        return self.process.returncode, json.loads(out), err

    def check_notes(self) -> int:
        """Hold the journal of a run that was killed against what its model has noted.

        All is in the journal that was published when its last frame was written.

        Returns:
            How many records were published and never written.
        """
        notes = read_notes(self._program.folder)
        end, written_ns = 0, 0
        if self.folder is not None and self.folder.records.exists():
            with JournalReader(self.folder.records) as reader:
                reader.finish()
                while (frame := reader.read()) is not None:
                    assert frame.damage is None or frame.damage.end is None, frame.damage
                    end, written_ns = frame.end, max(frame.written_ns, written_ns)
        due = [count for count, noted_ns in notes if noted_ns < written_ns]
        assert end >= max(due, default=0)
        published = max((count for count, _ in notes), default=0)
        assert end <= published + publishing.PER_S
        return max(0, published - end)
