"""A state is read in a process of its own, which may do to itself what it likes."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from despatch import StateError
from despatch.settings.file import settings_from
from despatch.state_reading.reading import read_state

SOURCE = """
import asyncio, os, signal, sys, time
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

import vendor_client
from despatch.interfaces import StateSource
from despatch.snapshots import Snapshot


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    does: str
    password: SecretStr | None = None
    notes: Path | None = None


class Odd(StateSource):
    Settings = Settings

    @property
    def place(self):
        return f"mine of {self.simulation}"

    async def open(self):
        password = self.settings.password
        self.password = password and password.get_secret_value()

    async def read(self):
        does = self.settings.does
        if does == "prints":
            print("hello,", self.password)
            print("and on the other one", file=sys.stderr)
            os.system("echo from a child")
        elif does == "raises":
            raise ConnectionError(f"login with {self.password} refused")
        elif does == "exits":
            sys.exit(3)
        elif does == "leaves":
            os._exit(4)
        elif does == "dies":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif does == "hangs":
            await asyncio.Event().wait()
        elif does == "blocks":
            time.sleep(60)
        elif does == "clings":
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    pass
        elif does == "times out":
            await asyncio.wait_for(asyncio.to_thread(time.sleep, 60), 0.01)
        elif does == "dict":
            return {"taken_at": datetime.now(UTC)}
        elif does == "naive":
            return Snapshot.model_construct(taken_at=datetime(2026, 1, 5))
        elif does == "object":
            return Snapshot.model_construct(taken_at=datetime.now(UTC), parameters={"a": object()})
        return Snapshot(taken_at=datetime.now(UTC), parameters={"a.b": 1, "pid": os.getpid()})

    async def close(self):
        if self.settings.notes is not None:
            self.settings.notes.write_text("closed")
        if self.settings.does == "fails to close":
            raise RuntimeError("it is stuck")
"""


@pytest.fixture(autouse=True)
def odd(install, monkeypatch, caplog):
    """A stranger's state source, installed for this process and for those that it starts."""
    caplog.set_level(logging.INFO, "despatch")
    points = "[despatch.states]\nodd = odd_state:Odd\n"
    folder = install(
        "acme-odd", points, version="2.3", modules={"odd_state": SOURCE, "vendor_client": ""}
    )
    paths = filter(None, [str(folder.parent), os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def read(does="reads", *, timeout="20s", **own):
    state = {"source": "odd", "does": does, "timeout": timeout, **own}
    return read_state(settings_from({"name": "line_a", "state": state}))


def refused(does, **given):
    with pytest.raises(StateError) as caught:
        read(does, **given)
    told = str(caught.value)
    assert told.startswith("state source 'odd' (acme-odd 2.3)")
    return told


def test_without_a_state_nothing_is_read():
    assert read_state(settings_from({})) is None


def test_a_state_is_read_in_another_process():
    reading = read()
    assert reading.values["a.b"] == 1
    assert reading.values["pid"] != os.getpid()
    assert str(reading).startswith(
        "2 parameters of state source 'odd' (acme-odd 2.3), mine of line_a, as of "
    )


def test_what_it_prints_is_told_with_its_name_and_disturbs_nothing(caplog):
    read("prints", password="hunter2-of-odd")
    told = [each.getMessage() for each in caplog.records]
    called = "state source 'odd' (acme-odd 2.3) printed: "
    assert {*told} >= {
        f"{called}hello, **********",
        f"{called}and on the other one",
        f"{called}from a child",
    }


def test_what_it_raises_is_the_reason_without_its_secrets(tmp_path):
    told = refused("raises", password="hunter2-of-odd", notes=tmp_path / "notes")
    assert told.endswith(": ConnectionError: login with ********** refused")
    assert (tmp_path / "notes").read_text() == "closed"


def test_a_secret_comes_by_a_reference(monkeypatch):
    monkeypatch.setenv("ODD_PASSWORD", "hunter2-of-odd")
    assert "hunter2" not in refused("raises", password="${ODD_PASSWORD}")


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("exits", "SystemExit: 3"),
        ("leaves", "its process ended without an answer (exit status 4)"),
        ("dies", "its process was killed (SIGSEGV)"),
        ("times out", "TimeoutError: no answer in time"),
        ("dict", "read gave a dict, not a Snapshot"),
        ("naive", "taken_at Input should have timezone info"),
        ("object", "plain data, not a object, at a"),
    ],
)
def test_a_source_that_fails_is_told_by_name(does, reason):
    assert reason in refused(does)


def test_one_that_does_not_answer_is_given_up():
    assert refused("hangs", timeout="50ms").endswith(": no answer within 0.05 s")


@pytest.mark.parametrize("does", ["blocks", "clings"])
def test_one_that_cannot_be_given_up_is_killed(does, monkeypatch):
    monkeypatch.setattr("despatch.state_reading.reading.START_S", 3.0)
    assert "no answer within 0.05 s, nor any end after it was cancelled" in refused(
        does, timeout="50ms"
    )


def test_that_it_does_not_close_costs_no_state(caplog):
    assert read("fails to close").values["a.b"] == 1
    assert "close raised RuntimeError: it is stuck" in caplog.text


def test_a_file_of_the_current_folder_shadows_no_library(tmp_path, monkeypatch):
    (tmp_path / "vendor_client.py").write_text("raise ImportError('not this one')")
    monkeypatch.chdir(tmp_path)
    assert read().values["a.b"] == 1


def test_a_big_state_comes_whole(tmp_path):
    values = {f"Line_{i}.text": "ä" * 1000 for i in range(3000)}
    path = Path(tmp_path / "state.json")
    path.write_text(json.dumps({"taken_at": "2026-01-05T06:00:00Z", "parameters": values}))
    reading = read_state(settings_from({"state": {"source": "file", "path": path}}))
    assert reading.values == values
