from __future__ import annotations

import subprocess
import sys

import ray.cloudpickle

from despatch.tasks import Task
from despatch_executor_ray.performing import performer

_ECHO = "despatch.executors.rehearsal:echo"

_WORKER = """
import sys
import ray.cloudpickle

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "despatch_executor_ray":
            raise ImportError(f"{name} is not installed at a worker")

sys.meta_path.insert(0, Nowhere())
perform = ray.cloudpickle.loads(sys.stdin.buffer.read())
answer, said = perform("despatch.executors.rehearsal:echo", b"part-1", [])
sys.stdout.buffer.write(answer)
"""


def test_a_worker_needs_nothing_of_this_package():
    carried = ray.cloudpickle.dumps(performer())
    done = subprocess.run(
        [sys.executable, "-c", _WORKER], input=carried, capture_output=True, check=True
    )
    assert Task.result(done.stdout) == b"part-1"


def test_what_is_printed_comes_with_the_answer(tmp_path, monkeypatch, capfd):
    (tmp_path / "talking.py").write_text(
        "import sys\n\n\n"
        "def talk(payload):\n"
        "    print('to output: Größe')\n"
        "    print('to error', file=sys.stderr)\n"
        "    sys.stdout.buffer.write(b'bytes\\n')\n"
        "    return payload\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    answer, said = performer()("talking:talk", b"part-1", [])
    assert Task.result(answer) == b"part-1"
    assert said.decode() == "to output: Größe\nto error\nbytes\n"
    assert capfd.readouterr() == ("", "")


def test_of_much_that_is_printed_the_end_comes(tmp_path, monkeypatch):
    (tmp_path / "chatting.py").write_text(
        "def chat(payload):\n    print('x' * 2_000_000)\n    print('the end')\n    return b''\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    _, said = performer()("chatting:chat", b"", [])
    assert len(said) == 1_000_000
    assert said.endswith(b"x\nthe end\n")


def test_the_worker_looks_where_the_program_looks_after_its_own_places(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = [*sys.path]
    performer()(_ECHO, b"", [str(tmp_path), before[-1]])
    performer()(_ECHO, b"", [str(tmp_path), before[-1]])
    assert sys.path == [*before, str(tmp_path)]
