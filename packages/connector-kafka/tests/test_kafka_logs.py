from __future__ import annotations

import logging

import pytest

from despatch_connector_kafka import logs
from despatch_connector_kafka.logs import RepeatsFilter, calm_logs


def record(template: str, level: int = logging.ERROR, *args: object) -> logging.LogRecord:
    return logging.LogRecord("aiokafka", level, __file__, 1, template, args, None)


def test_what_comes_again_is_said_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(logs.time, "monotonic", lambda: now)
    calm = RepeatsFilter()
    passed = [calm.filter(record("Unable connect to node %s", logging.ERROR, n)) for n in range(5)]
    assert passed == [True, False, False, False, False]
    assert calm.filter(record("another"))
    now += logs.SAID_AGAIN_AFTER_S
    again = record("Unable connect to node %s", logging.ERROR, 6)
    assert calm.filter(again)
    assert again.getMessage() == "Unable connect to node 6 (and 4 times in between)"


def test_an_attempt_that_is_made_again_is_a_warning_and_a_fault_stays_an_error() -> None:
    calm = RepeatsFilter()
    attempt, fault = record("attempt"), record("fault")
    fault.exc_info = (ValueError, ValueError("x"), None)
    assert calm.filter(attempt)
    assert calm.filter(fault)
    assert (attempt.levelname, fault.levelname) == ("WARNING", "ERROR")


def test_what_is_no_trouble_passes_each_time() -> None:
    calm = RepeatsFilter()
    assert all(calm.filter(record("Joined group", logging.INFO)) for _ in range(3))


def test_it_does_not_remember_without_an_end() -> None:
    calm = RepeatsFilter()
    for number in range(10_000):
        calm.filter(record(f"message {number}"))
    assert len(calm._said) <= 256


def test_aiokafkas_loggers_are_calmed_once(caplog: pytest.LogCaptureFixture) -> None:
    calm_logs()
    calm_logs()
    for name in ("aiokafka", "aiokafka.producer.sender", "aiokafka.consumer.group_coordinator"):
        logger = logging.getLogger(name)
        assert sum(isinstance(each, RepeatsFilter) for each in logger.filters) == 1
    for _ in range(20):
        logging.getLogger("aiokafka").error("a flood of %s", "this test")
    assert [entry.levelname for entry in caplog.records] == ["WARNING"]
