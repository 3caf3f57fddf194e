"""Watching and hurting the processes of a run from outside, as an operator or a fault would."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from despatch.journal import JournalReader

DEADLINE_S = 100.0


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Wait for a condition; what it gave. An error names it when it does not come in time."""
    deadline = time.monotonic() + deadline_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what} did not come within {deadline_s:g} s"
        time.sleep(0.002)
    return result


class CommandLines:
    """Starts command lines, each in a process group of its own, and leaves none behind."""

    def __init__(self, folder, **environment):
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self._started = []

    def start(self, *arguments, program=("-m", "despatch")):
        process = subprocess.Popen(
            [sys.executable, *map(str, program), *map(str, arguments)],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def run(self, *arguments):
        """Start a command line and wait for its end: exit status, output, errors."""
        return finish(self.start(*arguments))

    def close(self):
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def finish(process, deadline_s=DEADLINE_S):
    """Wait for the end of a command line: exit status, output, errors."""
    out, err = process.communicate(timeout=deadline_s)
    return process.returncode, out, err


def courier_of(pid):
    """The process id of a simulator's courier; None while there is none."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid and b"despatch.courier" in command:
            return int(entry.name)
    return None


def outcomes_of(run_folder):
    """What a run's audit journal says became of its commands, in order."""
    outcomes = []
    with JournalReader(run_folder / "audit") as reader:
        reader.finish()
        while (frame := reader.read()) is not None:
            assert frame.damage is None
            outcomes += [entry[3] for entry in frame.entries if entry[3] is not None]
    return outcomes


def resident_bytes(pid):
    """The resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def is_alive(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid):
    """Kill a process as `kill -9` does, if it is still there, and wait until it is not."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), f"the end of process {pid}")
