"""Real servers that are killed and come back, freeze, or are gone for good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from despatch.history import deliver
from despatch.runs import RunFolder
from despatch.testing.proxy import Proxy
from faults.checks import check_run
from faults.playing import Play
from faults.servers import Stand, Stands
from faults.sinks import JsonlSink
from processes import wait_until

PHASE = 300


def wait_troubled(play: Play, stand: Stand, retries: int) -> None:
    """Wait until the server's absence is felt."""
    wait_until(
        lambda: play.state(stand.sink) == "retrying" or play.cursor(stand.sink).retries > retries,
        "an effect of the fault",
    )


# moto keeps nothing when it is killed.
@pytest.mark.parametrize("kind", ["redis", "kafka"])
def test_a_server_that_is_killed_and_comes_back_has_everything(
    stands: Stands, tmp_path: Path, kind: str
):
    stand = stands.of(kind)
    assert stand.server is not None
    with Play(tmp_path, [stand.sink]) as play:
        play.publish(PHASE)
        play.wait_delivered()
        stand.server.kill()
        play.publish(PHASE)
        wait_troubled(play, stand, 0)
        stand.server.start()
        play.publish(PHASE)
    assert play.report.exit_status == 0
    check_run(play.folder, [stand.sink])


@pytest.mark.parametrize("kind", ["redis", "kafka", "s3"])
def test_a_server_that_freezes_and_goes_on_has_everything(
    stands: Stands, tmp_path: Path, kind: str
):
    stand = stands.of(kind)
    assert stand.server is not None
    with Play(tmp_path, [stand.sink]) as play:
        play.publish(PHASE)
        play.wait_delivered()
        retries = play.cursor(stand.sink).retries
        stand.server.pause()
        try:
            play.publish(PHASE)
            wait_troubled(play, stand, retries)
        finally:
            stand.server.resume()
        play.publish(PHASE)
    assert play.report.exit_status == 0
    check_run(play.folder, [stand.sink])


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("lines", Proxy.stalling),
        ("redis", Proxy.refusing),
        ("kafka", Proxy.refusing),
        ("s3", Proxy.stalling),
    ],
)
def test_what_a_sink_that_stays_away_is_owed_is_delivered_later_and_no_other_waits_for_it(
    stands: Stands, tmp_path: Path, kind: str, way
):
    stand = stands.of(kind)
    other = JsonlSink(tmp_path / "jsonl")
    sinks = [other, stand.sink]
    with way(stand.proxy):
        with Play(tmp_path, sinks, courier={"grace": "100ms"}) as play:
            play.publish(PHASE)
            play.wait_delivered(other)
        assert play.report.exit_status == 3
        check_run(play.folder, sinks, owed=[stand.sink.connector])
    folder = RunFolder.open(play.folder)
    settings = folder.settings()
    settings["courier"]["grace"] = "60s"
    (play.folder / "settings.json").write_text(json.dumps(settings))
    deliver(folder)
    check_run(play.folder, sinks)
