from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from despatch.interfaces import EgressConnector
from despatch.settings import EgressSettings, Settings
from despatch.settings.references import substitute


class Collector(EgressConnector):
    def __init__(self):
        pass

    async def open(self):
        pass

    async def deliver(self, batch):
        pass

    async def close(self):
        pass


FULL = {
    "name": "line_a",
    "model": "line_a:build",
    "clock": {"factor": 1, "until": "8h", "start": "2026-01-05T06:00:00+00:00"},
    "seed": 42,
    "parameters": {"Line_A.lathe.capacity": 3},
    "plugins": ["redis"],
    "ingress": [{"connector": "redis", "url": "redis://x", "allow": ["Line_A.*"]}],
    "egress": [{"connector": "jsonl"}, {"connector": "jsonl", "select": {"stream_type": "event"}}],
    "statistics": {"interval": "1m", "keep": False},
    "journal": {
        "flush": {"interval": "50ms", "bytes": "64KiB"},
        "segment_bytes": "1MiB",
        "keep": "1d",
    },
    "resume": "last",
    "courier": {"host": "thread", "grace": "5s", "connect_timeout": 2},
    "runs": "/var/lib/despatch",
}


def test_the_defaults_are_those_of_the_design():
    settings = Settings()
    assert settings.name == "simulation"
    assert (settings.model, settings.seed, settings.plugins) == (None, None, None)
    assert (settings.clock.factor, settings.clock.until, settings.clock.start) == (0.0, None, None)
    assert (settings.parameters, settings.ingress, settings.egress) == ({}, [], [])
    assert (settings.statistics.interval, settings.statistics.is_kept) == (None, False)
    assert settings.journal.flush.interval == timedelta(milliseconds=100)
    assert settings.journal.flush.bytes == 256 * 1024
    assert settings.journal.segment_bytes == 64 * 1024 * 1024
    assert settings.courier.host == "process"
    assert settings.courier.grace == timedelta(seconds=30)
    assert settings.courier.connect_timeout == timedelta(seconds=10)
    assert settings.runs == Path(".despatch")
    assert settings.journal.keep == timedelta(0)
    assert settings.resume is None


def test_everything_can_be_set():
    settings = Settings.model_validate(FULL)
    assert settings.clock.factor == 1.0
    assert settings.clock.until == timedelta(hours=8)
    assert settings.clock.start == datetime(2026, 1, 5, 6, tzinfo=UTC)
    assert settings.statistics.interval == timedelta(minutes=1)
    assert not settings.statistics.is_kept
    assert settings.journal.flush.bytes == 65_536
    assert [sink.name for sink in settings.egress] == ["jsonl", "jsonl-2"]
    assert settings.egress[1].select.matches("event", "a", None, None)
    assert settings.journal.keep == timedelta(days=1)
    assert settings.resume == "last"


def test_revealing_gives_json_that_makes_the_same_settings():
    settings = Settings.model_validate(FULL)
    revealed = settings.reveal()
    assert json.loads(json.dumps(revealed)) == revealed
    assert Settings.model_validate(revealed) == settings
    assert revealed["clock"]["until"] == "8h"
    assert revealed["ingress"][0]["url"] == "redis://x"


def test_secrets_are_revealed_on_request_alone():
    settings = Settings.model_validate(
        {"egress": [{"connector": "acme", "password": SecretStr("hunter2"), "url": "hunter2"}]}
    )
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert "hunter2" not in shown
    assert settings.reveal()["egress"][0]["password"] == "hunter2"


def test_parameters_that_came_by_a_reference_are_ordinary_text():
    data, _ = substitute({"parameters": {"A.capacity": "${MISSING:-3}", "A.d": ["${MISSING:-x}"]}})
    parameters = Settings.model_validate(data).parameters
    assert parameters == {"A.capacity": "3", "A.d": ["x"]}
    assert {type(parameters["A.capacity"]), type(parameters["A.d"][0])} == {str}


def test_a_run_may_be_a_second_late_before_it_is_said():
    lag = Settings.model_validate({}).clock.lag
    assert (lag.tolerance, lag.policy) == (timedelta(seconds=1), "warn")
    given = {"clock": {"lag": {"tolerance": "500ms", "policy": "stop"}}}
    lag = Settings.model_validate(given).clock.lag
    assert (lag.tolerance, lag.policy) == (timedelta(milliseconds=500), "stop")
    any_lag = Settings.model_validate({"clock": {"lag": {"tolerance": None}}})
    assert any_lag.clock.lag.tolerance is None


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({"nme": "x"}, ("nme",)),
        ({"name": "line a"}, ("name",)),
        ({"model": "line_a"}, ("model",)),
        ({"model": "line-a:build"}, ("model",)),
        ({"model": ":build"}, ("model",)),
        ({"model": "line_a:"}, ("model",)),
        ({"resume": "first"}, ("resume",)),
        ({"journal": {"keep": "-1s"}}, ("journal", "keep")),
        ({"clock": {"factor": -1}}, ("clock", "factor")),
        ({"clock": {"factor": True}}, ("clock", "factor")),
        ({"clock": {"factor": float("inf")}}, ("clock", "factor")),
        ({"clock": {"until": "-8h"}}, ("clock", "until")),
        ({"clock": {"start": "2026-01-05T06:00:00"}}, ("clock", "start")),
        ({"clock": {"start": datetime(2026, 1, 5)}}, ("clock", "start")),
        ({"clock": {"lag": {"tolerance": 0}}}, ("clock", "lag", "tolerance")),
        ({"clock": {"lag": {"policy": "panic"}}}, ("clock", "lag", "policy")),
        ({"clock": {"lag": {"tolerance": None, "policy": "stop"}}}, ("clock", "lag")),
        ({"clock": {"lag": "500ms"}}, ("clock", "lag")),
        ({"seed": -1}, ("seed",)),
        ({"seed": 1.5}, ("seed",)),
        ({"parameters": ["a"]}, ("parameters",)),
        ({"plugins": "redis"}, ("plugins",)),
        ({"egress": {"connector": "jsonl"}}, ("egress",)),
        ({"egress": ["jsonl"]}, ("egress", 0)),
        ({"egress": [{"name": "x"}]}, ("egress", 0, "connector")),
        ({"journal": {"flush": {"interval": 0}}}, ("journal", "flush", "interval")),
        ({"courier": {"host": "container"}}, ("courier", "host")),
    ],
)
def test_a_mistake_is_refused_where_it_is(data, where):
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(data)
    assert [error["loc"] for error in caught.value.errors()] == [where]


def test_sinks_have_names_that_differ():
    with pytest.raises(ValidationError, match=r"egress\[1\] to have another name than egress\[0\]"):
        Settings(egress=[{"connector": "a", "name": "x"}, {"connector": "b", "name": "x"}])


def test_a_live_connector_needs_the_thread_host():
    with pytest.raises(ValidationError, match=r"courier\.host to be thread: egress\[0\]"):
        Settings(egress=[{"connector": Collector()}])
    settings = Settings(egress=[{"connector": Collector()}], courier={"host": "thread"})
    assert settings.egress[0].name == "collector"
    assert settings.reveal()["egress"][0]["connector"] == "live:Collector"


def test_entries_may_be_made_already():
    entry = EgressSettings(connector="jsonl", name="lake")
    settings = Settings(egress=[{"connector": "lake"}, entry])
    assert [sink.name for sink in settings.egress] == ["lake-2", "lake"]


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings().name = "other"


def test_errors_do_not_show_what_came():
    with pytest.raises(ValidationError) as caught:
        Settings(egress=[{"connector": "acme", "timeout": "hunter2", "password": "hunter2"}])
    assert "hunter2" not in str(caught.value)
