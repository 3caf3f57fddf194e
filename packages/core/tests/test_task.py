from __future__ import annotations

import subprocess
import sys

import pytest

from despatch.errors import TaskError
from despatch.interfaces import Task


def test_a_task_is_performed_where_its_answer_is_made():
    answer = Task("despatch.executors.rehearsal:echo", b"part-1").perform()
    assert Task.result(answer) == b"part-1"


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("despatch.executors.rehearsal:fail", "LookupError: no such part: lathe"),
        ("despatch.executors.rehearsal:leave", "SystemExit: lathe"),
        ("despatch.executors.rehearsal:nothing", "has no attribute 'nothing'"),
        ("no_such_module:nothing", "No module named 'no_such_module'"),
        ("despatch", "AttributeError"),
        ("builtins:str", "TypeError"),
    ],
)
def test_whatever_goes_wrong_is_an_answer_too(function, told):
    answer = Task(function, b"lathe").perform()
    with pytest.raises(TaskError) as caught:
        Task.result(answer)
    assert told in str(caught.value)
    assert str(caught.value).startswith("Traceback (most recent call last):")


@pytest.mark.parametrize("answer", [b"", b"echo", b"\x02"])
def test_anything_else_is_no_answer(answer):
    with pytest.raises(ValueError, match=r"expected what Task\.perform gave"):
        Task.result(answer)


def test_a_worker_imports_next_to_nothing():
    program = (
        "import sys\nfrom despatch.tasks import Task\nimport despatch.executors.__main__\n"
        "print(*sorted(name for name in sys.modules if name.startswith(('desp', 'pyd', 'simpy'))))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert loaded == [
        "despatch",
        "despatch.errors",
        "despatch.executors",
        "despatch.executors.__main__",
        "despatch.executors.frames",
        "despatch.tasks",
    ]
