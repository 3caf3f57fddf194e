"""The metrics that the page lists are those that a run serves, in name, type and labels."""

from __future__ import annotations

import re
import signal
import socket
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pages import ROOT
from processes import CommandLines, courier_of, finish, kill, wait_until

PAGE = ROOT / "docs" / "concepts" / "observing.md"
MODEL = """
from despatch import SimParameter

class Desk(SimParameter):
    staff: int = 1

def build(env):
    env.registry.register("Desk", Desk())

    def go():
        number = 0
        while True:
            env.publish_event(f"part-{number}", {"number": number})
            env.publish_telemetry("Desk.queue", 1 if number % 50 else object())
            number += 1
            yield env.timeout(0.01)

    env.process(go())
"""
SETTINGS = """
name: desk
model: desk:build
clock: {{factor: 1.0}}
metrics: {{port: {port}}}
ingress:
  - connector: schedule
    commands: [{{at: 0.2, path: Desk.staff, value: 2}}, {{at: 0.3, path: Desk.stuff, value: 2}}]
egress:
  - {{connector: jsonl, path: out.jsonl, batch: {{interval: 50ms}}, select: {{stream_type: event}}}}
  - {{connector: jsonl, name: all, path: all.jsonl, batch: {{interval: 50ms}}}}
  - {{connector: jsonl, name: away, path: /proc/none/out.jsonl}}
courier: {{grace: 2s}}
"""


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def lines(tmp_path):
    made = CommandLines(tmp_path)
    yield made
    made.close()


@pytest.fixture
def process(tmp_path, lines, port):
    (tmp_path / "desk.py").write_text(MODEL)
    (tmp_path / "desk.yaml").write_text(SETTINGS.format(port=port))
    return lines.start("run", "desk.yaml", "--json")


def scrape(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return list(text_string_to_metric_families(answer.read().decode()))
    except OSError:
        return None


def values(families):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(families, name, **labels):
    return values(families).get((name, *sorted(labels.items())))


def scraped_when(port, condition, what):
    def look():
        families = scrape(port)
        return families if families and condition(families) else None

    return wait_until(look, what)


def served(families):
    """Each metric's type and labels, by the name that it is asked for."""
    found = {}
    for family in families:
        is_counter = family.type == "counter"
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        name = f"{family.name}_total" if is_counter else family.name
        found[name] = (family.type, frozenset(labels))
    return found


def listed():
    """The same, as the page has it."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `despatch_") and line.count("|") >= 5:
            name, type_, labels = (cell.strip() for cell in line.split("|")[1:4])
            found[name.strip("`")] = (type_, frozenset(re.findall(r"`(\w+)`", labels)))
    return found


def test_the_page_lists_what_is_served(process, port):
    families = scraped_when(
        port,
        lambda families: value(
            families, "despatch_commands_total", source="schedule", outcome="refused"
        ),
        "a refused command",
    )
    assert served(families) == listed()


def test_what_is_served_is_what_the_run_does(process, port):
    def is_under_way(families):
        return (
            value(families, "despatch_sink_state", sink="away", state="retrying")
            and value(families, "despatch_sink_records_total", sink="jsonl", outcome="delivered")
            and value(families, "despatch_sim_time_seconds") > 1
        )

    families = scraped_when(port, is_under_way, "a run under way")
    published = value(families, "despatch_published_records_total")
    behind = {
        sink: value(families, "despatch_sink_behind_records", sink=sink)
        for sink in ("jsonl", "all", "away")
    }
    accounted = {
        sink: sum(
            number
            for (name, *labels), number in values(families).items()
            if name == "despatch_sink_records_total" and ("sink", sink) in labels
        )
        for sink in behind
    }
    # A sink may have come further than the simulator has said that it has.
    assert all(accounted[sink] + behind[sink] >= published for sink in behind), families
    assert (accounted["away"], behind["away"]) == (0, published)
    assert value(families, "despatch_sink_behind_seconds", sink="away") > 0.5
    for sink, outcome in [("jsonl", "not_selected"), ("all", "dead_lettered")]:
        assert value(families, "despatch_sink_records_total", sink=sink, outcome=outcome) > 0
    assert value(families, "despatch_delivery_latency_seconds_count", sink="all") > 0
    assert value(families, "despatch_delivery_latency_seconds_count", sink="away") == 0
    assert value(families, "despatch_commands_total", source="schedule", outcome="applied") == 1
    assert value(families, "despatch_source_state", source="schedule", state="ended") == 1
    assert value(families, "despatch_courier_restarts_total") == 0


def test_counts_go_on_when_the_courier_is_killed(process, port):
    def delivered(families):
        return value(families, "despatch_sink_records_total", sink="jsonl", outcome="delivered")

    before = scraped_when(port, delivered, "the first delivery")
    kill(courier_of(process.pid))
    after = scraped_when(
        port,
        lambda families: value(families, "despatch_courier_restarts_total") == 1,
        "the next courier",
    )
    assert delivered(after) >= delivered(before) > 0
    assert value(after, "despatch_published_records_total") >= value(
        before, "despatch_published_records_total"
    )
    assert value(after, "despatch_commands_total", source="schedule", outcome="refused") == 1


def test_a_port_that_is_taken_is_named_and_the_run_goes_on(lines, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "desk.py").write_text(MODEL)
        (tmp_path / "desk.yaml").write_text(SETTINGS.format(port=port).partition("ingress:")[0])
        process = lines.start("run", "desk.yaml")
        said = wait_until(lambda: process.stderr.readline(), "a word")
        assert f"metrics: cannot listen on 127.0.0.1 port {port} (Address already in use)" in said
        process.send_signal(signal.SIGTERM)
        status, _, err = finish(process)
    assert status == 0, err
