from __future__ import annotations

import logging
import socket
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest

from despatch.courier.ledger import Ledger
from despatch.courier.states import States
from despatch.deliveries import DeliveredBatch
from despatch.link import Progress
from despatch.metrics import endpoint as module
from despatch.metrics.endpoint import Endpoint
from despatch.runs import RunFolder, RunInfo
from despatch.settings import MetricsSettings, Settings


@pytest.fixture
def folder(tmp_path):
    now = datetime.now(UTC)
    info = RunInfo(run_id="1", name="desk", start=now, created=now, seed=1, factor=0, version="0")
    made = RunFolder.create(tmp_path, info, {})
    Ledger(made.ledger).close()
    yield made
    made.unlock()


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def open_endpoint(folder, port):
    opened = []
    settings = Settings.model_validate({"egress": [{"connector": "memory", "name": "a"}]})

    def make(host="127.0.0.1"):
        where = MetricsSettings(port=port, host=host)
        opened.append(Endpoint(where, folder, settings, States(lambda state: None)))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def ask(port, path="/metrics"):
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.002)


def test_what_was_shown_and_delivered_is_served(open_endpoint, port):
    endpoint = open_endpoint()
    endpoint.show(Progress(2.5, None, 0.0, 9))
    batch = {"sink": "a", "first": 0, "end": 9, "bytes": 1, "attempt": 1}
    endpoint.delivered(DeliveredBatch(**batch, delivered=7, dead_lettered=1, waited_s=0.02))
    endpoint.delivered(DeliveredBatch(**batch, delivered=1, dead_lettered=0, waited_s=None))
    text = ask(port)
    assert "despatch_sim_time_seconds 2.5\n" in text
    assert 'despatch_delivery_latency_seconds_count{sink="a"} 8.0\n' in text
    assert 'despatch_delivery_latency_seconds_bucket{le="0.01",sink="a"} 0.0\n' in text
    assert 'despatch_delivery_latency_seconds_bucket{le="0.025",sink="a"} 8.0\n' in text


def test_a_name_is_an_address_too(open_endpoint, port):
    open_endpoint(host="localhost")
    assert "despatch_run_info" in ask(port)


def test_the_port_is_free_again_once_it_is_closed(open_endpoint, port):
    for _ in range(3):
        endpoint = open_endpoint()
        ask(port)
        endpoint.close()
    assert not [each for each in threading.enumerate() if each.name == "despatch-metrics"]


def test_a_port_that_is_taken_is_said_once_and_tried_again(
    open_endpoint, port, caplog, monkeypatch
):
    monkeypatch.setattr(module, "AGAIN_S", 0.001)
    caplog.set_level(logging.INFO, "despatch")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        open_endpoint()
        deadline = time.monotonic() + 60
        while not caplog.records:
            assert time.monotonic() < deadline
            time.sleep(0.002)
    ask(port)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith(f"metrics: cannot listen on 127.0.0.1 port {port} (Address already")
    assert said[1:] == [f"metrics: http://127.0.0.1:{port}/metrics"]


def test_an_endpoint_that_never_got_its_port_can_be_closed(open_endpoint, port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        endpoint = open_endpoint()
        endpoint.close()
    assert not [each for each in threading.enumerate() if each.name == "despatch-metrics"]


def test_what_cannot_be_looked_up_is_an_error_in_the_log_and_an_answer(
    open_endpoint, folder, port, caplog, capfd
):
    open_endpoint()
    ask(port)
    for file in folder.path.glob("cursors.sqlite*"):
        file.unlink()
    folder.ledger.mkdir()
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(port)
    assert caught.value.code == 500
    caught.value.close()
    assert "metrics: OperationalError" in caplog.text
    assert "Traceback" not in capfd.readouterr().err
