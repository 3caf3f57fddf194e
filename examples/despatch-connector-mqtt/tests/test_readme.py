"""What the README shows is done here, with another port and ten times as fast."""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from brokers import Mosquitto, unavailable

README = Path(__file__).parents[1] / "README.md"
FENCE = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
BLOCKS = [match.groupdict() for match in FENCE.finditer(README.read_text(encoding="utf-8"))]


def shown(program):
    """The command that begins so, and what the README says it prints."""
    (code,) = (each["code"] for each in BLOCKS if each["code"].startswith(f"$ {program}"))
    command, _, output = code.removeprefix("$ ").partition("\n")
    return command, output


def assert_like(expected, got):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(expected, got, flags), got


class Reader:
    """Somebody in the README's folder, at a terminal."""

    def __init__(self, folder, broker):
        self._folder = folder
        self._port = broker.port
        self._started = []
        for block in BLOCKS:
            if block["title"]:
                text = block["code"].replace("localhost:1883", f"127.0.0.1:{broker.port}")
                (folder / block["title"]).write_text(text, encoding="utf-8")

    def start(self, command):
        program, *arguments = shlex.split(command)
        if program == "despatch":
            line = [sys.executable, "-m", "despatch", *arguments]
        elif shutil.which(program) is None:
            unavailable(f"no {program}: install it (Debian: apt-get install mosquitto-clients)")
        else:
            line = [program, "-p", str(self._port), *arguments]
        process = subprocess.Popen(
            line,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def leave(self):
        """End what a failed test has left."""
        for process in self._started:
            process.kill()
            process.communicate()

    def done(self, command):
        output, errors = self.start(command).communicate()
        assert not errors, errors
        return output


@pytest.fixture
def reader(tmp_path):
    with Mosquitto() as broker:
        somebody = Reader(tmp_path, broker)
        yield somebody
        somebody.leave()


def test_the_doctor_finds_what_is_shown(reader):
    command, output = shown("despatch doctor")
    assert_like(output, reader.done(command))


def test_a_model_is_watched_and_steered_as_it_is_shown(reader):
    watch, records = shown("mosquitto_sub")
    ask, answer = shown("mosquitto_rr")
    (run, _), (tell, _) = shown("despatch run"), shown("mosquitto_pub")
    watching = reader.start(watch)
    running = reader.start(f"{run} --factor 0.1 --until 1h")
    first = watching.stdout.readline()
    assert_like(records, f"{first}more")
    assert_like(answer, reader.done(ask))
    read_until(watching, '"lathes":3')
    reader.done(tell)
    read_until(watching, '"lathes":2')
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate()
    assert running.returncode == 0, errors
    assert "2 commands applied, 0 refused" in output + errors


def read_until(process, text):
    """Read lines until one has the text, for as long as a test may take."""
    while text not in process.stdout.readline():
        assert process.poll() is None


def test_a_reader_skips_what_it_has_seen():
    (code,) = (each["code"] for each in BLOCKS if "def is_new" in each["code"])
    names = {}
    exec(compile(code, README, "exec", dont_inherit=True), names)

    class Message:
        class properties:  # noqa: N801
            UserProperty = [("run_id", "r"), ("seq", "1")]  # noqa: RUF012

    assert [names["is_new"](Message), names["is_new"](Message)] == [True, False]
