"""A run from start to report, over both hosts of the courier."""

from __future__ import annotations

import os
import resource
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from pydantic import Field

from despatch import Command, DynamicResource, LagError, Run, SimParameter
from despatch.account import reckon
from despatch.audit.journal import outcome_fields
from despatch.courier.batches import Draft
from despatch.courier.ledger import Ledger
from despatch.errors import AccountError, JournalError, RunError, SettingsError
from despatch.history import deliver, past_runs
from despatch.journal import JournalReader, end_position
from despatch.report import CommandCount
from despatch.switchboard import Switchboard


class Desk(SimParameter):
    staff: int = Field(1, ge=0, le=9)


@pytest.fixture(params=["process", "thread"])
def host(request):
    return request.param


@pytest.fixture
def configure(tmp_path, host):
    """Settings for a run in a folder of its own."""

    def configure(**given):
        courier = {"host": host, "grace": "20s", **given.pop("courier", {})}
        retry = {"initial": "5ms", "maximum": "20ms"}
        egress = [
            {"batch": {"interval": "10ms"}, **({"retry": retry}), **sink}
            for sink in given.pop("egress", [])
        ]
        return {
            "name": "desk",
            "runs": tmp_path / "runs",
            "seed": 1,
            **given,
            "courier": courier,
            "egress": egress,
        }

    return configure


def read(path):
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def audit_of(run):
    reader = JournalReader(run.folder.audit)
    reader.finish()
    entries = []
    while (frame := reader.read()) is not None:
        entries += frame.entries
    return [entry[3] for entry in entries if entry[3] is not None]


def customers(count, pause=1.0):
    def build(env):
        env.registry.register("Desk", Desk())
        desk = DynamicResource(env, capacity="Desk.staff")

        def arrivals():
            for number in range(count):
                env.process(customer(f"customer-{number}"))
                yield env.timeout(pause)

        def customer(key):
            env.publish_event(key, {"status": "queued"})
            with desk.request() as slot:
                yield slot
                env.publish_event(key, {"status": "started", "staff": desk.capacity})
                yield env.timeout(0.5)
            env.publish_telemetry("Desk.queue", len(desk.queue))

        env.process(arrivals())

    return build


def run_through(settings, model):
    with Run(settings, model) as run:
        run.run()
    return run


def test_every_record_reaches_every_sink_in_order(configure, tmp_path):
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    settings = configure(
        egress=[{"connector": "jsonl", "path": str(path), "name": path.stem} for path in paths]
    )
    run = run_through(settings, customers(100))
    assert run.report.published == 300
    assert run.report.exit_status == 0
    for path in paths:
        records = read(path)
        assert [record["seq"] for record in records] == list(range(300))
        assert [record["sink_seq"] for record in records] == list(range(300))
        assert {record["run_id"] for record in records} == {run.folder.info.run_id}


def test_a_sink_gets_what_its_select_names(configure, tmp_path):
    settings = configure(
        egress=[
            {
                "connector": "jsonl",
                "path": str(tmp_path / "t.jsonl"),
                "select": {"stream_type": "telemetry"},
            }
        ]
    )
    run = run_through(settings, customers(20))
    records = read(tmp_path / "t.jsonl")
    assert [record["sink_seq"] for record in records] == list(range(20))
    assert {record["path_id"] for record in records} == {"Desk.queue"}
    (account,) = run.report.sinks
    assert (account.given, account.delivered, account.not_selected) == (20, 20, 40)


def test_scheduled_commands_take_effect_at_their_time_and_are_audited(configure, tmp_path):
    commands = [
        {"at": 5, "path": "Desk.staff", "value": 3},
        {"at": 7, "path": "Desk.staff", "value": -1},
        {"at": 8, "path": "Desk.stuff", "value": 1},
    ]
    settings = configure(
        ingress=[{"connector": "schedule", "commands": commands}],
        egress=[{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}],
    )
    run = run_through(settings, customers(20))
    started = [r for r in read(tmp_path / "a.jsonl") if r["value"] and "staff" in str(r["value"])]
    assert {r["value"]["staff"] for r in started if r["sim_ts"] < 5} == {1}
    assert {r["value"]["staff"] for r in started if r["sim_ts"] > 5} == {3}
    outcomes = [outcome["type"] for outcome in audit_of(run)]
    assert sorted(outcomes) == sorted(["scheduled", "change", "refusal", "refusal"])
    assert (run.report.commands.applied, run.report.commands.refused) == (1, 2)


def test_a_dry_run_is_audited_and_counted_as_one(configure):
    with Run(configure(), customers(1)) as run:
        tried = run.env.registry.apply(Command(updates={"Desk.staff": 3}, dry_run=True))
        run.run()
    assert audit_of(run) == [outcome_fields(tried)]
    assert audit_of(run)[0]["type"] == "dry_run"
    assert run.report.commands == CommandCount(dry_runs=1)


def test_the_same_seed_gives_the_same_records(configure, tmp_path):
    seen = []
    for name in ("a", "b"):
        settings = configure(
            egress=[{"connector": "jsonl", "path": str(tmp_path / f"{name}.jsonl")}],
            clock={"start": "2026-01-05T06:00:00+00:00"},
        )
        run_through(settings, customers(50))
        records = read(tmp_path / f"{name}.jsonl")
        for record in records:
            del record["run_id"]
        seen.append(records)
    assert seen[0] == seen[1]


def test_live_commands_are_acknowledged_once_they_are_audited(configure, tmp_path):
    inbox = tmp_path / "inbox"
    lines = [b'{"path": "Desk.staff", "value": %d}' % (n % 9) for n in range(30)]
    lines += [b"not json", b'{"path": ["a"], "value": 1}', b'{"path": "Desk.staff", "value": 2.7}']
    inbox.write_bytes(b"\n".join(lines))
    settings = configure(
        clock={"factor": 0.001},
        ingress=[
            {
                "connector": "faulty",
                "inbox": str(inbox),
                "acknowledged": str(tmp_path / "acknowledged"),
                "fail_every": 7,
            }
        ],
    )
    with Run(settings, customers(10)) as run:
        while run.commands.applied + run.commands.refused < len(lines):
            run.env.run(until=run.env.now + 10)
    acknowledged = dict(
        line.split() for line in (tmp_path / "acknowledged").read_text().splitlines()
    )
    assert acknowledged == {
        **{str(n): "change" for n in range(30)},
        **{str(n): "refusal" for n in (30, 31, 32)},
    }
    assert [o["id"] for o in audit_of(run)] == [str(n) for n in range(33)]


def test_commands_are_decoded_by_the_serializer_of_their_source(configure, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.write_bytes(b'{"path": "Desk.staff", "value": 3}\n[1, 2]')
    source = {"connector": "faulty", "inbox": str(inbox), "acknowledged": str(tmp_path / "done")}
    settings = configure(
        clock={"factor": 0.001}, ingress=[{**source, "serializer": {"name": "json"}}]
    )
    with Run(settings, customers(10)) as run:
        while run.commands.applied + run.commands.refused < 2:
            run.env.run(until=run.env.now + 10)
    applied, refused = audit_of(run)
    assert list(applied["updates"]) == [{"path": "Desk.staff", "old": 1, "new": 3}]
    # The serializer's own words: `Command.parse` would say what came.
    assert refused["reason"] == "expected a JSON object, got list"
    assert (tmp_path / "done").read_text().splitlines() == ["0 change", "1 refusal"]


def test_a_sink_that_is_down_at_the_end_is_owed_and_delivered_later(configure, tmp_path):
    down = tmp_path / "down"
    down.touch()
    settings = configure(
        courier={"grace": "100ms"},
        egress=[
            {"connector": "faulty", "path": str(tmp_path / "f"), "down_while": str(down)},
            {"connector": "jsonl", "path": str(tmp_path / "a.jsonl")},
        ],
    )
    run = run_through(settings, customers(50))
    assert run.report.exit_status == 3
    assert {sink.sink: sink.owed for sink in run.report.sinks} == {"faulty": 150, "jsonl": 0}
    assert len(read(tmp_path / "a.jsonl")) == 150
    (past,) = past_runs(tmp_path / "runs")
    assert (past.state, past.owed) == ("finished", {"faulty": 150})
    down.unlink()
    if run.settings.courier.host == "process":
        accounts = deliver(run.folder)
        assert {account.owed for account in accounts} == {0}
        assert [record["seq"] for record in read(tmp_path / "f")] == list(range(150))


def test_what_fails_is_tried_again_with_the_same_records(configure, tmp_path):
    settings = configure(
        egress=[
            {
                "connector": "faulty",
                "path": str(tmp_path / "f"),
                "fail_every": 3,
                "batch": {"records": 10},
            }
        ]
    )
    run = run_through(settings, customers(50))
    seqs = [record["seq"] for record in read(tmp_path / "f")]
    assert sorted(set(seqs)) == list(range(150))
    (account,) = run.report.sinks
    assert account.retries == account.repeats // 10 > 0
    assert len(seqs) - 150 == account.repeats
    assert run.report.exit_status == 0


def test_rejected_records_go_to_the_dead_letters_alone(configure, tmp_path):
    settings = configure(
        egress=[
            {
                "connector": "faulty",
                "path": str(tmp_path / "f"),
                "reject_keys": ["customer-3", "customer-7"],
            }
        ]
    )
    run = run_through(settings, customers(20))
    (account,) = run.report.sinks
    assert (account.given, account.delivered, account.dead_lettered) == (60, 56, 4)
    ledger = Ledger(run.folder.ledger)
    letters = list(ledger.dead_letters("faulty"))
    ledger.close()
    assert {letter.reason for letter in letters} == {"this key is not wanted"}
    seqs = {record["seq"] for record in read(tmp_path / "f")}
    assert seqs | {letter.seq for letter in letters} == set(range(60))
    assert run.report.exit_status == 3


def test_a_value_that_cannot_be_encoded_goes_to_the_dead_letters_alone(configure, tmp_path):
    def build(env):
        for number in range(10):
            env.publish_event("a", object() if number == 5 else {"number": number})
            lines = [{"price": 1}] * 3 + [{"price": object() if number == 6 else 2}]
            env.publish_event("b", {"lines": lines})

    settings = configure(egress=[{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}])
    run = run_through(settings, build)
    (account,) = run.report.sinks
    assert (account.given, account.delivered, account.dead_lettered) == (20, 18, 2)
    ledger = Ledger(run.folder.ledger)
    letters = list(ledger.dead_letters("jsonl"))
    ledger.close()
    assert [letter.seq for letter in letters] == [10, 13]
    assert letters[1].reason == "value.lines[3].price: object of type object"


def test_a_model_that_raises_loses_nothing_of_what_it_published(configure, tmp_path):
    def build(env):
        def model():
            for number in range(5):
                env.publish_event("a", {"number": number})
                yield env.timeout(1)
            raise LookupError("the model's own")

        env.process(model())

    settings = configure(egress=[{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}])
    run = Run(settings, build)
    with pytest.raises(LookupError, match="the model's own"), run:
        run.run()
    assert len(read(tmp_path / "a.jsonl")) == 5
    assert run.report.exit_status == 1
    assert "the model's own" in run.report.error


def test_a_run_that_is_too_late_fails_and_loses_nothing_of_what_it_published(configure, tmp_path):
    def build(env):
        def stalling():
            for number in range(5):
                env.publish_event("a", {"number": number})
                yield env.timeout(1)
            time.sleep(0.2)
            yield env.timeout(1)
            env.publish_event("a", {"number": 5})

        env.process(stalling())

    settings = configure(
        clock={"factor": 0.001, "lag": {"tolerance": "100ms", "policy": "stop"}},
        egress=[{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}],
    )
    run = Run(settings, build)
    with pytest.raises(LagError, match="at simulated time 5"), run:
        run.run()
    assert len(read(tmp_path / "a.jsonl")) == 5
    assert run.report.exit_status == 1
    assert run.report.error.startswith("LagError: the simulation was 0.")
    assert "process stalling" in run.report.error
    assert run.report.max_lag_s > 0.1


def test_simulated_0_stands_for_the_start_of_the_settings_or_of_the_run(configure):
    start = "2026-01-05T06:00:00+01:00"
    with Run(configure(clock={"start": start}), customers(1)) as run:
        assert run.env.start.isoformat() == start
        run.env.run(until=datetime.fromisoformat("2026-01-05T06:00:30+01:00"))
        assert run.env.now == 30
    with Run(configure(), customers(1)) as run:
        assert run.env.start == run.folder.info.start


def test_a_model_that_raises_while_it_is_built_leaves_a_report(configure, tmp_path):
    def build(env):
        env.publish_event("a", 1)
        raise LookupError("not built")

    settings = configure(egress=[{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}])
    run = Run(settings, build)
    with pytest.raises(LookupError, match="not built"), run:
        pass
    assert len(read(tmp_path / "a.jsonl")) == 1
    assert run.report.state == "failed"


def test_a_journal_that_cannot_be_ended_fails_the_run_and_delivers_what_it_has(configure, tmp_path):
    settings = configure(egress=[{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}])
    settings["courier"]["grace"] = "4s"  # half of it is waited for room
    run = Run(settings, customers(5))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def go_on_until_the_disk_is_full():
        with run:
            while end_position(run.folder.records) < 15:
                run.env.run(until=run.env.now + 1)
            run.env.publish_event("large", "x" * 200_000)
            # As a full disk would: no file of this process grows beyond this.
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))

    try:
        with pytest.raises(JournalError, match="cannot be written"):
            go_on_until_the_disk_is_full()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (run.report.state, run.report.exit_status) == ("failed", 1)
    assert "cannot be written" in run.report.error
    assert (run.report.published, run.report.unwritten) == (16, 1)
    assert [record["seq"] for record in read(tmp_path / "a.jsonl")] == list(range(15))


@pytest.fixture
def losing_count(monkeypatch, tmp_path):
    """Settings for a run whose courier counts one record too few of each batch."""
    settled = Draft.settled

    def lose_one(draft, cursor, dead_lettered, sent):
        after = settled(draft, cursor, dead_lettered, sent)
        return replace(after, delivered=after.delivered - 1)

    monkeypatch.setattr(Draft, "settled", lose_one)
    return {
        "runs": tmp_path / "runs",
        "courier": {"host": "thread"},
        "egress": [{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}],
    }


@pytest.mark.unaccounted
def test_an_account_that_does_not_add_up_is_an_internal_error_and_the_report_is_made(losing_count):
    run = Run(losing_count, customers(5))
    with pytest.raises(AccountError, match="internal: the account of sink jsonl"), run:
        run.run()
    report = run.report
    assert (report.state, report.exit_status) == ("failed", 1)
    assert report.error.startswith("internal: the account of sink jsonl does not add up: 15 were")
    assert report.error.endswith("please report this")
    (account,) = report.sinks
    assert (account.given, account.delivered) == (14, 14)
    assert run.folder.report.read_bytes() == report.to_json()
    assert not run.folder.is_locked()


@pytest.mark.unaccounted
def test_an_internal_error_hides_nothing_of_the_runs_own(losing_count):
    def build(env):
        env.publish_event("a", 1)
        raise LookupError("the model's own")

    run = Run(losing_count, build)
    with pytest.raises(LookupError, match="the model's own"), run:
        pass
    own, internal = run.report.error.splitlines()
    assert own == "LookupError: the model's own"
    assert internal.startswith("internal: the account of sink jsonl does not add up")


def test_a_ledger_that_cannot_be_read_fails_the_run_and_the_report_says_why(configure, tmp_path):
    settings = configure(egress=[{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}])
    run = Run(settings, customers(5))
    drain = Switchboard.drain

    def drain_and_break(switchboard, grace_s):
        drain(switchboard, grace_s)
        run.folder.ledger.write_bytes(b"no database" * 100)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Switchboard, "drain", drain_and_break)
        with pytest.raises(RunError, match=r"cursors\.sqlite: the accounts cannot be read"), run:
            run.run()
    assert (run.report.published, run.report.sinks, run.report.exit_status) == (15, [], 1)
    assert "the accounts cannot be read" in run.report.error


def test_a_signal_while_the_accounts_are_read_loses_no_report(configure, tmp_path, monkeypatch):
    settings = configure(egress=[{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}])

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return reckon(*arguments)

    monkeypatch.setattr("despatch.run.reckon", interrupted)
    with Run(settings, customers(5), handle_signals=True) as run:
        run.run()
    assert (run.report.stopped_by, run.report.exit_status) == (None, 0)


def test_a_folder_that_cannot_be_written_any_more_loses_no_report(configure, tmp_path, caplog):
    settings = configure(egress=[{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}])
    with pytest.MonkeyPatch.context() as patch, Run(settings, customers(5)) as run:
        run.run()

        def refuse(*_):
            raise OSError(28, "No space left on device")

        patch.setattr("despatch.runs._write", refuse)
    assert run.report.exit_status == 0
    assert run.report.sinks[0].delivered == 15
    assert "the report cannot be kept" in caplog.text
    assert not run.folder.is_locked()


def test_the_report_says_since_when_something_is_owed_and_what_may_be_there_twice(
    configure, tmp_path
):
    down = tmp_path / "down"
    down.touch()
    settings = configure(
        courier={"grace": "100ms"},
        egress=[
            {"connector": "faulty", "path": str(tmp_path / "f"), "down_while": str(down)},
            {
                "connector": "faulty",
                "name": "losing",
                "path": str(tmp_path / "g"),
                "fail_every": 2,
                "batch": {"records": 5},
            },
            {"connector": "jsonl", "path": str(tmp_path / "a.jsonl")},
        ],
    )
    before = datetime.now(UTC)
    run = run_through(settings, customers(5))
    late, losing, well = run.report.sinks
    assert before <= late.owed_since <= datetime.now(UTC)
    assert 0.0 < late.behind_s <= run.report.wall_s
    assert losing.guarantee == "at-least-once"
    assert losing.duplicates_possible == losing.repeats > 0
    assert (well.guarantee, well.owed_since, well.behind_s) == ("effectively-once", None, 0.0)


def test_parameters_in_the_settings_hold_from_the_start(configure, tmp_path):
    settings = configure(
        parameters={"Desk.staff": "4"},
        egress=[{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}],
    )
    run = run_through(settings, customers(3))
    assert run.env.registry["Desk.staff"] == 4


def test_parameters_that_do_not_fit_end_the_run_and_name_the_settings(configure):
    settings = configure(parameters={"Desk.staff": 99})
    with pytest.raises(SettingsError, match=r"parameters: .*Desk\.staff"):
        run_through(settings, customers(3))


def test_a_connector_that_cannot_be_made_refuses_the_run_that_names_it(configure, tmp_path):
    settings = configure(
        egress=[
            {"connector": "unmakable"},
            {"connector": "jsonl", "path": str(tmp_path / "a.jsonl")},
        ],
    )
    with pytest.raises(SettingsError) as caught:
        run_through(settings, customers(5))
    (problem,) = caught.value.problems
    assert problem.where == "egress[0].connector"
    assert "'unmakable' (despatch-connector-faulty 0.1.0) is broken" in problem.message
    assert "raised RuntimeError: cannot be made" in problem.message
    assert "pip install" in problem.message
    assert not (tmp_path / "a.jsonl").exists()


def test_a_run_without_sinks_and_sources_is_just_a_simulation(configure):
    run = run_through(configure(), customers(5))
    assert run.report.published == 15
    assert run.report.exit_status == 0


def test_attempts_can_be_limited(configure, tmp_path):
    down = tmp_path / "down"
    down.touch()
    settings = configure(
        egress=[
            {
                "connector": "faulty",
                "path": str(tmp_path / "f"),
                "down_while": str(down),
                "retry": {"initial": "1ms", "attempts": 3},
            }
        ],
    )
    run = run_through(settings, customers(5))
    assert run.report.owed == 15
    assert run.report.exit_status == 3
