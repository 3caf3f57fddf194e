from __future__ import annotations

import json
import logging
from datetime import datetime

import pytest

from despatch.logs import logging_as
from despatch.settings import LogsSettings

OWN = logging.getLogger("despatch.courier")
LIBRARY = logging.getLogger("some_client")


def logged(capsys, say, *, format="json", level="info"):
    with logging_as(LogsSettings(format=format, level=level), sim="desk", run_id="1"):
        say()
    lines = capsys.readouterr().err.splitlines()
    return [json.loads(line) for line in lines] if format == "json" else lines


def test_a_line_of_text_is_the_message(capsys):
    said = logged(capsys, lambda: OWN.warning("sink %s: down", "a"), format="text")
    assert said == ["despatch: sink a: down"]


def test_a_line_of_json_has_time_level_logger_message_and_fields(capsys):
    (line,) = logged(capsys, lambda: OWN.warning("sink %s: down", "a", extra={"sink": "a"}))
    assert datetime.fromisoformat(line.pop("time")).utcoffset().total_seconds() == 0
    assert line == {
        "level": "warning",
        "logger": "despatch.courier",
        "message": "sink a: down",
        "sim": "desk",
        "run_id": "1",
        "sink": "a",
    }


def test_an_exception_is_a_field_of_its_line(capsys):
    def fail():
        try:
            raise KeyError("oh\nno")
        except KeyError:
            OWN.exception("failed")

    (line,) = logged(capsys, fail)
    assert line["exception"].startswith("Traceback")
    assert line["message"] == "failed"


def test_a_field_that_json_does_not_know_is_text(capsys):
    (line,) = logged(capsys, lambda: OWN.info("x", extra={"what": {1j}}))
    assert line["what"] == ["1j"]


@pytest.mark.parametrize(
    ("level", "own", "library"),
    [
        ("debug", ["debug", "info", "warning", "error"], ["warning", "error"]),
        ("info", ["info", "warning", "error"], ["warning", "error"]),
        ("error", ["error"], ["error"]),
    ],
)
def test_the_level_is_for_despatch_and_a_library_is_heard_from_warnings_on(
    capsys, level, own, library
):
    def say(logger):
        for each in ("debug", "info", "warning", "error"):
            logger.log(logging.getLevelNamesMapping()[each.upper()], "x")

    assert [line["level"] for line in logged(capsys, lambda: say(OWN), level=level)] == own
    assert [line["level"] for line in logged(capsys, lambda: say(LIBRARY), level=level)] == library


def test_afterwards_logging_is_as_before(capsys):
    root, own = logging.getLogger(), logging.getLogger("despatch")
    before = root.level, own.level, list(root.handlers)
    logged(capsys, lambda: None, level="debug")
    assert (root.level, own.level, list(root.handlers)) == before
