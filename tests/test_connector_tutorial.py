"""The tutorial for connectors is walked as a reader walks it, in an environment of its own."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import time
from pathlib import Path

import pytest

from clean_environments import CleanEnvironment, build_wheel
from pages import ROOT, blocks, commands, looks_like, run

PAGE = ROOT / "docs" / "write-a-connector.md"
PORT = "7010"
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """What an index would have: despatch."""
    folder = tmp_path_factory.mktemp("wheels") / "index"
    build_wheel(ROOT / "packages" / "core", folder)
    return folder


@pytest.fixture
def environment(wheels, tmp_path):
    """The variables of a shell in a virtual environment with despatch, and with pip."""
    made = CleanEnvironment(tmp_path / "environment")
    made.install("--find-links", wheels, "despatch[scaffold,testing]", "pip")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    path = os.pathsep.join([str(made.folder / "bin"), os.environ["PATH"]])
    return {**kept, "PATH": path, "PIP_FIND_LINKS": str(wheels), "NO_COLOR": "1"}


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


class Reader:
    """Does what the page says, in a folder.

    Args:
        folder: Where the reader begins.
        environment: The variables of the reader's shell.
        port: Stands in for the page's own port.
    """

    def __init__(self, folder: Path, environment: dict[str, str], port: str) -> None:
        self.folder = folder
        self._environment = environment
        self._port = port
        self._in_background: list[subprocess.Popen[bytes]] = []

    def do(self, block) -> None:
        """Write or change the block's file, or run its commands and compare what they print."""
        code = block.code.replace(PORT, self._port)
        if block.language == "diff":
            self._change(self.folder / block.title, code.splitlines(keepends=True))
            return
        if block.title:
            (self.folder / block.title).write_text(code, encoding="utf-8")
            return
        if block.language != "console":
            return
        for command, shown in commands(block):
            command = command.replace(PORT, self._port)
            if command.startswith("cd "):
                self.folder /= command.removeprefix("cd ")
            elif command.endswith(" &"):
                self._start(shlex.split(command.removesuffix(" &")))
            else:
                printed = run(["sh", "-c", command], self.folder, self._environment)
                assert not shown or looks_like(printed, shown), f"{command}\n{printed}"

    def close(self) -> None:
        for process in self._in_background:
            process.kill()
            process.wait()

    def _change(self, path: Path, lines: list[str]) -> None:
        before = "".join(line[1:] for line in lines if not line.startswith("+"))
        after = "".join(line[1:] for line in lines if not line.startswith("-"))
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{path} has not, or not once:\n{before}"
        path.write_text(text.replace(before, after), encoding="utf-8")

    def _start(self, arguments: list[str]) -> None:
        """Start a server in the background, and wait until it listens."""
        # Found by the reader's PATH, not by that of the tests.
        process = subprocess.Popen(
            ["/usr/bin/env", *arguments], cwd=self.folder, env=self._environment
        )
        self._in_background.append(process)
        deadline = time.monotonic() + DEADLINE_S
        while True:
            assert process.poll() is None, f"{arguments} ended"
            assert time.monotonic() < deadline, f"{arguments} does not listen"
            try:
                socket.create_connection(("127.0.0.1", int(self._port))).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.01)


@pytest.mark.timeout(900)
def test_every_step_works_as_it_stands_on_the_page(tmp_path, environment, port):
    folder = tmp_path / "reader"
    folder.mkdir()
    reader = Reader(folder, environment, port)
    try:
        for block in blocks(PAGE):
            reader.do(block)
    finally:
        reader.close()


def test_the_steps_are_numbered_one_after_the_other():
    numbers = re.findall(r"^## (\d+)\. ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
