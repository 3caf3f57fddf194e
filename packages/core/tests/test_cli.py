from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from despatch.cli import app
from despatch.courier.batches import Draft
from despatch.history import past_run
from processes import CommandLines

MODEL = """
    import os

    from despatch import SimParameter
    from pydantic import Field

    class Desk(SimParameter):
        staff: int = Field(1, ge=0, le=9)

    def build(env):
        def opening_hours():
            for number in range(10):
                staff = env.registry["Desk.staff"]
                env.publish_event(f"hour-{number}", {"staff": staff})
                yield env.timeout(1)

        env.registry.register("Desk", Desk())
        env.process(opening_hours())

    def meddling(env):
        build(env)
        os.mkdir("report.json")

    def broken(env):
        build(env)
        raise LookupError("the [model]'s own")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, with a model."""
    (tmp_path / "desk_for_cli.py").write_text(textwrap.dedent(MODEL))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield tmp_path
    sys.modules.pop("desk_for_cli", None)


@pytest.fixture
def despatch(folder):
    """The command line, in this process."""

    def despatch(*arguments):
        return CliRunner().invoke(app, [str(each) for each in arguments])

    return despatch


@pytest.fixture
def settings(folder):
    """Writes a settings file."""

    def write(text="", *, model="build", name="desk", host="thread"):
        path = folder / f"{name}.yaml"
        head = f"name: {name}\nmodel: desk_for_cli:{model}\nseed: 1\ncourier: {{host: {host}}}\n"
        path.write_text(head + textwrap.dedent(text))
        return path

    return write


JSONL = """
    egress:
      - {connector: jsonl, path: a.jsonl, batch: {interval: 10ms}}
"""
DOWN = """
    egress:
      - {connector: faulty, path: f, down_while: down, retry: {initial: 5ms, attempts: 2}}
"""


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_that_delivers_everything_is_status_0(despatch, settings, folder):
    result = despatch("run", settings(JSONL, host="process"), "--report", "report.json")
    assert result.exit_code == 0
    assert "10 records published" in result.stdout
    assert len(read(folder / "a.jsonl")) == 10
    report = json.loads((folder / "report.json").read_bytes())
    assert (report["published"], report["exit_status"]) == (10, 0)


@pytest.mark.unaccounted
def test_an_account_that_does_not_add_up_is_reported_with_the_figures(
    despatch, settings, monkeypatch
):
    settled = Draft.settled

    def lose_one(*arguments):
        after = settled(*arguments)
        return replace(after, delivered=after.delivered - 1)

    monkeypatch.setattr(Draft, "settled", lose_one)
    result = despatch("run", settings(JSONL), "--report", "report.json")
    assert result.exit_code == 1
    assert "desk failed" in result.stdout
    assert "internal: the account of sink jsonl does not add up: 10 were" in result.stdout
    assert "please report this" in result.stdout
    assert result.stdout.splitlines()[-1].split()[:3] == ["jsonl", "9", "9"]
    assert "Traceback" not in result.stderr
    assert json.loads(Path("report.json").read_bytes())["exit_status"] == 1


def test_the_report_of_a_run_that_failed_is_written_too(despatch, settings, folder):
    result = despatch("run", settings(JSONL, model="broken"), "--report", "report.json")
    assert result.exit_code == 1
    report = json.loads((folder / "report.json").read_bytes())
    assert (report["state"], report["exit_status"]) == ("failed", 1)
    assert "LookupError" in report["error"]


@pytest.mark.parametrize(
    ("file", "complaint"),
    [("taken", "found a folder"), ("missing/report.json", "there is no folder")],
)
def test_a_report_that_could_not_be_written_is_known_before_the_run(
    despatch, settings, folder, file, complaint
):
    (folder / "taken").mkdir()
    result = despatch("run", settings(JSONL), "--report", file)
    assert result.exit_code == 2
    assert f"--report {file}: " in result.stderr
    assert complaint in result.stderr
    assert not (folder / ".despatch").exists()


def test_a_report_that_cannot_be_written_after_all_is_not_lost(despatch, settings, folder):
    path = settings(JSONL, model="meddling")
    result = despatch("run", path, "--report", "report.json")
    assert result.exit_code == 1
    assert "10 records published" in result.stdout
    assert "--report report.json: cannot be written (Is a directory)" in result.stderr
    (kept,) = (folder / ".despatch").glob("*/report.json")
    assert str(kept.relative_to(folder)) in result.stderr


def test_options_take_the_place_of_what_the_file_says(despatch, settings, folder):
    path = settings(JSONL + "    clock: {until: 8h, factor: 1.0}\n")
    options = ("--factor", "0", "--until", "4s", "--set", "Desk.staff=5", "--json")
    result = despatch("run", path, *options)
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["sim_time"] == 4.0
    assert {record["value"]["staff"] for record in read(folder / "a.jsonl")} == {5}


def test_a_model_that_raises_is_status_1_and_shows_where(despatch, settings):
    result = despatch("run", settings(model="broken"))
    assert result.exit_code == 1
    assert "in broken" in result.stderr
    assert "LookupError: the [model]'s own" in result.stdout


MISTAKES = """
    clock: {factor: -1, until: soon}
    parameters: {Desk.staff: 2}
    ingress:
      - {connector: schedule, commands: [{at: 1s, value: 2}]}
    egress:
      - {connector: kafka, topic: x}
      - {connector: jsonl, path: a.jsonl, batch: {records: 0}, colour: red}
"""


@pytest.mark.parametrize("command", ["run", "check"])
def test_every_mistake_is_shown_at_once_with_its_line_and_nothing_is_begun(
    despatch, settings, folder, command
):
    path = settings(MISTAKES, model="bild")
    before = sorted(folder.iterdir())
    result = despatch(command, path)
    assert result.exit_code == 2
    assert result.stdout == ""
    problems = [line.removeprefix(f"{path}:") for line in result.stderr.splitlines()]
    places = [problem.split(": ")[0:2] for problem in problems]
    assert places == [
        ["2", "model"],
        ["6", "clock.factor"],
        ["6", "clock.until"],
        ["9", "ingress[0].commands[0]"],
        ["11", "egress[0].connector"],
        ["12", "egress[1].batch.records"],
        ["12", "egress[1].colour"],
    ]
    assert "did you mean 'build'?" in problems[0]
    assert 'pip install "despatch[kafka]"' in problems[4]
    assert [each for each in sorted(folder.iterdir()) if each.name != "__pycache__"] == before


def test_a_file_in_order_says_so_and_begins_nothing(despatch, settings, folder):
    result = despatch("check", settings(JSONL))
    assert result.exit_code == 0
    assert "in order. desk: no ingress in, jsonl out." in result.stdout
    assert not (folder / "a.jsonl").exists()
    assert not (folder / ".despatch").exists()


def test_a_file_that_is_not_there_is_status_2(despatch, folder):
    result = despatch("check", "none.yaml")
    assert result.exit_code == 2
    assert "none.yaml: file: cannot be read" in result.stderr


@pytest.mark.parametrize("assignment", ["Desk.staff", "=3", "Desk.staff:3"])
def test_an_assignment_without_a_path_or_a_value_is_status_2(despatch, settings, assignment):
    result = despatch("run", settings(), "--set", assignment)
    assert result.exit_code == 2
    assert "expected PATH=VALUE" in result.stderr


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [("Desk.staff=99", "less than or equal to 9"), ("Desk.stuff=3", "Desk.staff")],
)
def test_an_assignment_that_the_model_refuses_is_status_2(
    despatch, settings, assignment, complaint
):
    result = despatch("run", settings(), "--set", assignment)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr


def test_a_sink_that_is_down_is_status_3_until_it_is_delivered(despatch, settings, folder):
    (folder / "down").touch()
    result = despatch("run", settings(DOWN))
    assert result.exit_code == 3
    assert "10 records owed. Deliver with: despatch runs deliver" in result.stdout
    (run,) = json.loads(despatch("runs", "list", "--json").stdout)
    assert (run["state"], run["owed"]) == ("finished", {"faulty": 10})
    assert despatch("runs", "deliver").exit_code == 3
    (folder / "down").unlink()
    result = despatch("runs", "deliver", run["info"]["run_id"], "--json")
    (account,) = json.loads(result.stdout)[run["info"]["run_id"]]
    assert (result.exit_code, account["delivered"], account["owed"]) == (0, 10, 0)
    assert len(read(folder / "f")) == 10


def test_what_is_damaged_is_status_3_and_named_by_its_positions(despatch, settings, folder):
    (folder / "down").touch()
    despatch("run", settings(DOWN))
    (folder / "down").unlink()
    (segment,) = folder.glob(".despatch/*/records/*.journal")
    content = segment.read_bytes()
    at = len(content) - 50  # just before the last frame, which has no payload
    segment.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    result = despatch("runs", "deliver", segment.parent.parent.name)
    assert result.exit_code == 3
    assert "faulty: damaged, seq 0 to 9: " in " ".join(result.stdout.split())
    assert "the payload's checksum is wrong" in " ".join(result.stdout.split())


def test_the_next_run_of_the_name_delivers_what_earlier_ones_owe_before_its_own(
    despatch, settings, folder
):
    (folder / "down").touch()
    path = settings(DOWN)
    for _ in range(2):
        assert despatch("run", path).exit_code == 3
    (folder / "down").unlink()
    assert despatch("run", settings(JSONL, name="other")).exit_code == 0
    assert not (folder / "f").exists()
    assert despatch("run", path).exit_code == 0
    runs = [run["info"]["run_id"] for run in json.loads(despatch("runs", "list", "--json").stdout)]
    delivered = [(record["run_id"], record["seq"]) for record in read(folder / "f")]
    of_the_name = [runs[0], runs[1], runs[3]]
    assert delivered == [(run_id, seq) for run_id in of_the_name for seq in range(10)]


def test_the_next_run_does_not_wait_for_a_sink_that_is_still_down_and_says_what_is_owed(
    despatch, settings, folder
):
    (folder / "down").touch()
    # Patient as it is, at the start it gives up at once.
    path = settings(DOWN.replace("attempts: 2", "maximum: 10ms") + "    courier: {grace: 100ms}\n")
    path.write_text(path.read_text().replace("courier: {host: thread}\n", ""))
    first = despatch("run", path)
    assert first.exit_code == 3
    result = despatch("run", path)
    assert result.exit_code == 3
    assert "owes 10 to faulty. Deliver with: despatch runs deliver" in result.stderr
    assert "(after 1 attempt" in result.stderr
    owed = [run["owed"] for run in json.loads(despatch("runs", "list", "--json").stdout)]
    assert owed == [{"faulty": 10}, {"faulty": 10}]


def test_a_signal_while_earlier_runs_are_delivered_ends_it_before_the_run(
    despatch, settings, folder, monkeypatch
):
    (folder / "down").touch()
    path = settings(DOWN)
    despatch("run", path)

    def deliver(run_folder, *_, stopping, **given):
        os.kill(os.getpid(), signal.SIGINT)
        assert stopping.asked_by == "SIGINT"
        return past_run(run_folder).sinks

    monkeypatch.setattr("despatch.cli.late_delivery.deliver", deliver)
    result = despatch("run", path)
    assert result.exit_code == 1
    assert "stopped by SIGINT before the run began" in result.stderr
    assert len(list((folder / ".despatch").iterdir())) == 1


def test_a_run_that_cannot_be_read_keeps_no_other_from_running_or_delivering(
    despatch, settings, folder
):
    (folder / "down").touch()
    path = settings(DOWN)
    for _ in range(2):
        despatch("run", path)
    (folder / "down").unlink()
    unreadable, readable = sorted((folder / ".despatch").iterdir())
    for segment in (unreadable / "records").iterdir():
        segment.unlink()
    (unreadable / "records").rmdir()
    result = despatch("runs", "deliver")
    assert result.exit_code == 3
    assert f"{unreadable.name} is passed over" in result.stderr
    assert f"run {readable.name}" in result.stdout
    assert len(read(folder / "f")) == 10
    assert despatch("run", path).exit_code == 0


def test_a_run_that_is_not_there_is_status_2(despatch, folder):
    result = despatch("runs", "deliver", "0198")
    assert result.exit_code == 2
    assert "no run whose id begins with '0198'" in result.stderr


def test_without_runs_nothing_is_listed_and_nothing_owed(despatch, folder):
    assert despatch("runs", "list").stdout == ".despatch: no runs\n"
    assert json.loads(despatch("runs", "list", "--json").stdout) == []
    result = despatch("runs", "deliver")
    assert (result.exit_code, result.stdout) == (0, ".despatch: nothing is owed\n")


def test_plugins_are_listed_with_their_state_and_what_to_do(despatch, install):
    install(
        "despatch-connector-torn",
        "[despatch.egress]\ntorn = despatch_connector_torn:Torn\n",
        modules={"despatch_connector_torn": "raise RuntimeError('torn apart')"},
    )
    result = despatch("plugins", "list", "--json")
    assert result.exit_code == 0
    plugins = {(each["kind"], each["name"]): each for each in json.loads(result.stdout)}
    assert {each["status"] for (_, name), each in plugins.items() if name == "jsonl"} == {"ready"}
    (torn,) = [each for (_, name), each in plugins.items() if name == "torn"]
    assert torn["status"] == "broken"
    assert "torn apart" in torn["reason"]
    table = despatch("plugins", "list").stdout
    assert "torn apart" in table
    assert "jsonl" in table


def test_no_command_shows_the_commands(despatch):
    result = despatch()
    assert result.exit_code == 2
    for command in ("run", "check", "demo", "plugins", "runs"):
        assert command in result.output


def test_client_libraries_are_heard_when_they_warn_and_not_before(folder, settings):
    lines = CommandLines(folder)
    status, _, err = lines.run(
        "run", settings(DOWN.replace("down_while: down, ", ""), host="process")
    )
    lines.close()
    assert status == 0, err
    assert "a client library's warning" in err
    assert "chatter" not in err


def test_the_demo_runs_without_a_server(folder):
    lines = CommandLines(folder)
    status, out, err = lines.run("demo", "--factor", "0")
    lines.close()
    assert status == 0, err
    (written,) = (folder / "despatch-demo").glob("*.jsonl")
    records = read(written)
    assert f"tail -n 2 despatch-demo/{written.name}" in out
    assert "No Parquet files this time" in out
    assert 'pip install "despatch[parquet]"' in out
    capacities = [
        record["value"] for record in records if record.get("path_id") == "Line_A.lathe.capacity"
    ]
    assert [value for n, value in enumerate(capacities) if capacities[n - 1 : n] != [value]] == [
        1,
        3,
        2,
    ]


SINKS = "egress:\n  - {connector: jsonl, path: %s}\n"


def test_doctor_says_what_is_in_order_and_runs_nothing(despatch, settings, folder):
    path = settings(SINKS % "lake/records.jsonl")
    before = sorted(folder.iterdir())
    result = despatch("doctor", path)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "sink jsonl (jsonl): in order",
        f"  {folder} may be written",
        f"{path}: all in order.",
    ]
    assert sorted(folder.iterdir()) == before


def test_doctor_says_what_is_not_in_order_and_leaves_with_1(despatch, settings, folder):
    (folder / "lake").write_text("")
    result = despatch("doctor", settings(SINKS % "lake/records.jsonl"))
    assert result.exit_code == 1
    assert "NotADirectoryError" in result.stdout
    assert "1 of 1 cannot be used" in result.stdout


def test_doctor_can_be_read_by_a_machine(despatch, settings, folder):
    result = despatch("doctor", settings(SINKS % "records.jsonl"), "--json")
    assert result.exit_code == 0
    (found,) = json.loads(result.stdout)
    assert found == {
        "role": "sink",
        "name": "jsonl",
        "plugin": "jsonl",
        "findings": [f"{folder} may be written"],
        "warnings": [],
        "fault": "",
        "has_answered": True,
    }


def test_doctor_reports_mistakes_as_check_does(despatch, settings):
    result = despatch("doctor", settings("egress: [{connector: jsonl}]"))
    assert result.exit_code == 2
    assert "path" in result.stderr


def test_doctor_has_nothing_to_ask_where_there_are_no_connectors(despatch, settings):
    result = despatch("doctor", settings())
    assert result.exit_code == 0
    assert result.stdout.endswith("nothing to ask.\n")


def test_with_json_logs_every_line_on_standard_error_is_an_object(folder, settings):
    path = settings("logs: {format: json}\n" + textwrap.dedent(DOWN), host="process")
    lines = CommandLines(folder)
    (folder / "down").touch()
    lines.run("run", path)
    settings("logs: {format: json}\nclock: {factor: 0.6, until: 10}\n" + textwrap.dedent(DOWN))
    status, _, err = lines.run("run", path)
    assert status == 3
    said = [json.loads(line) for line in err.splitlines()]
    (run_id,) = {line["run_id"] for line in said}
    assert {line["sim"] for line in said} == {"desk"}
    assert any("owes 10 to faulty" in line["message"] for line in said)
    troubles = [line for line in said if line.get("sink") == "faulty"]
    assert troubles
    assert all(line["logger"] == "despatch.courier" for line in troubles)
    assert (folder / ".despatch" / run_id).is_dir()


def test_what_a_model_raises_is_a_field_of_json_logs(folder, settings):
    path = settings("logs: {format: json}\n", model="broken")
    status, _, err = CommandLines(folder).run("run", path)
    (line,) = [json.loads(each) for each in err.splitlines()]
    assert (status, line["message"]) == (1, "the model raised LookupError")
    assert "in broken" in line["exception"]
