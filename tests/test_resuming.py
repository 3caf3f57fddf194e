"""A twin that is steered through Redis, killed, started again and replayed."""

from __future__ import annotations

import json
import os
import signal
import textwrap

import pytest
import redis

from despatch.history import past_runs
from processes import CommandLines, courier_of, finish, kill, wait_until

STREAM = "desk.commands"
MODEL = """
    from despatch import SimParameter

    class Desk(SimParameter):
        staff: int = 1
        rooms: int = 1

    def build(env):
        env.registry.register("Desk", Desk())

        def ticks():
            published = None
            while True:
                registry = env.registry
                values = {"staff": registry["Desk.staff"], "rooms": registry["Desk.rooms"]}
                if values != published:
                    env.publish_event("desk", values)
                    published = values
                yield env.timeout(1)

        env.process(ticks())
"""


class Twin:
    """Runs of one twin, one after the other, and the Redis that steers them."""

    def __init__(self, folder, url):
        (folder / "twin.py").write_text(textwrap.dedent(MODEL))
        self.url = url
        self.folder = folder
        self.lines = CommandLines(folder)
        self.redis = redis.Redis.from_url(url)
        self.process = None

    def start(self, factor):
        (self.folder / "twin.yaml").write_text(
            textwrap.dedent(f"""
                name: twin
                model: twin:build
                clock: {{factor: {factor}, start: 2026-01-05T06:00:00+00:00}}
                resume: last
                ingress: [{{connector: redis, url: "{self.url}", stream: {STREAM}}}]
                egress: [{{connector: jsonl, path: "{{run_id}}.jsonl", batch: {{interval: 10ms}}}}]
                journal: {{flush: {{interval: 10ms}}}}
            """)
        )
        before = len(self.runs())
        self.process = self.lines.start("run", "twin.yaml")
        wait_until(lambda: len(self.runs()) > before and self.records(), "the first records")

    def tell(self, **command):
        entry = self.redis.xadd(STREAM, {"command": json.dumps(command)})
        wait_until(lambda: self.is_settled(entry), f"the acknowledgement of {command}")

    def is_settled(self, entry):
        (group,) = self.redis.xinfo_groups(STREAM)
        is_read = _number(group["last-delivered-id"]) >= _number(entry)
        return is_read and group["pending"] == 0

    def records(self):
        run = self.runs()[-1].info.run_id if self.runs() else "none"
        path = self.folder / f"{run}.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def runs(self):
        return past_runs(self.folder / ".despatch")

    def values(self):
        return self.records()[-1]["value"]

    def kill(self):
        courier = courier_of(self.process.pid)
        kill(self.process.pid)
        kill(courier)
        finish(self.process)
        wait_until(lambda: self.runs()[-1].state == "killed", "the end of both")

    def end(self):
        os.kill(self.process.pid, signal.SIGTERM)
        status, _, err = finish(self.process)
        assert status == 0, err

    def close(self):
        self.lines.close()
        self.redis.close()


def _number(entry):
    milliseconds, _, count = entry.decode().partition("-")
    return int(milliseconds), int(count)


@pytest.fixture
def twin(tmp_path, redis_url):
    twin = Twin(tmp_path, redis_url)
    yield twin
    twin.close()


@pytest.mark.parametrize("factor", [0.0, 0.001])
def test_a_twin_is_as_it_was_after_each_kill_and_every_run_is_repeated_exactly(twin, factor):
    twin.start(factor)
    twin.tell(path="Desk.staff", value=3, id="a")
    # Far off, so that no run comes that far before it is killed.
    twin.tell(path="Desk.rooms", value=9, at=1e12, id="later")
    twin.tell(path="Desk.staff", value="many", id="b")
    wait_until(lambda: twin.values() == {"staff": 3, "rooms": 1}, "the first change")
    twin.kill()

    twin.start(factor)
    assert twin.records()[0]["value"] == {"staff": 3, "rooms": 1}
    # The same command once more: it has its outcome already.
    twin.tell(path="Desk.staff", value=7, id="a")
    twin.tell(path="Desk.rooms", value=2)
    wait_until(lambda: twin.values() == {"staff": 3, "rooms": 2}, "the second change")
    twin.kill()

    twin.start(factor)
    assert twin.records()[0]["value"] == {"staff": 3, "rooms": 2}
    twin.tell(path="Desk.staff", value=8, id="b")
    twin.tell(path="Desk.staff", value=4, id="c")
    wait_until(lambda: twin.values()["staff"] == 4, "the third change")
    twin.end()

    first, second, third = twin.runs()
    assert [run.info.resumed for run in (first, second, third)] == [
        None,
        first.info.run_id,
        second.info.run_id,
    ]
    for run in (first, second, third):
        status, out, err = twin.lines.run("replay", run.info.run_id, "--json")
        report = json.loads(out)
        assert (status, report["difference"]) == (0, None), err
        assert report["records"] == run.published > 0
        assert report["commands"] > 0
