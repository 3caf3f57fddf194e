"""What bad plugins get: installed like a stranger's, met by every command, no harm to the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata

import pytest
from typer.testing import CliRunner

from despatch.cli import app

SINK = """
from pydantic import BaseModel
from despatch.interfaces import EgressConnector, Guarantee, Receipt

class NoSettings(BaseModel):
    '''Nothing.'''

class Sink(EgressConnector):
    '''Takes all that comes.'''
    Settings = NoSettings
    guarantee = Guarantee.AT_LEAST_ONCE
    async def open(self): ...
    async def deliver(self, batch): return Receipt()
    async def close(self): ...
"""
RAISES_WHEN_MADE = f"""{SINK}
    def __init__(self, settings):
        raise RuntimeError("no licence for hunter2")
"""
WITHOUT_SETTINGS = SINK.replace("    Settings = NoSettings\n", "")
WITHOUT_GUARANTEE = SINK.replace("    guarantee = Guarantee.AT_LEAST_ONCE\n", "")
HANGS = SINK.replace("open(self): ...", "open(self):\n        {}")

MODEL = """
def build(env):
    env.publish_event("part-1", {"status": "made"})
"""

# Its name, the code of its module, its requirements; what is said of it, and what to do.
BAD = {
    "raises-at-import": (
        "raise OSError('libacme.so is missing')",
        ["despatch"],
        "is broken: importing acme_raises_at_import:Sink raised OSError: libacme.so is missing",
        "pip install --upgrade --force-reinstall acme-raises-at-import, or tell its authors",
    ),
    "ends-the-process": (
        "raise SystemExit(5)",
        ["despatch"],
        "is broken: importing acme_ends_the_process:Sink raised SystemExit: 5",
        "or tell its authors",
    ),
    "raises-when-made": (
        RAISES_WHEN_MADE,
        ["despatch"],
        "is broken: making acme_raises_when_made:Sink raised RuntimeError: no licence",
        "or tell its authors",
    ),
    "without-settings": (
        WITHOUT_SETTINGS,
        ["despatch"],
        "has no `Settings` that is a pydantic model",
        "or tell its authors",
    ),
    "without-guarantee": (
        WITHOUT_GUARANTEE,
        ["despatch"],
        "has no `guarantee` that is a Guarantee",
        "or tell its authors",
    ),
    "is-no-connector": (
        "class Sink: ...",
        ["despatch"],
        "is not a subclass of EgressConnector",
        "or tell its authors",
    ),
    "for-another-despatch": (
        "1 / 0",
        ["despatch>=99,<100"],
        "is incompatible: it requires despatch<100,>=99, and despatch",
        "pip install --upgrade despatch acme-for-another-despatch",
    ),
    "misses-a-library": (
        "1 / 0",
        ["despatch", "acme-client>=2"],
        "is incompatible: it requires acme-client>=2, which is not installed",
        'pip install "acme-client>=2"',
    ),
    "for-another-pydantic": (
        "1 / 0",
        ["despatch", "pydantic[email]<1; python_version > '3'"],
        "is incompatible: it requires pydantic[email]<1, and pydantic 2",
        'pip install "pydantic[email]<1"',
    ),
    "-wrong name": (
        SINK,
        ["despatch"],
        "calls itself '-wrong name': expected a name of at most 64 letters, digits",
        "its authors have to rename it",
    ),
    "jsonl": (
        SINK,
        ["despatch"],
        f"despatch {metadata.version('despatch')} has the same name",
        "its authors have to rename it",
    ),
}


def module_of(name):
    return f"acme_{name.strip('-').replace('-', '_').replace(' ', '_')}"


@pytest.fixture
def install_sink(install):
    def install_sink(name, code=SINK, requires=("despatch",)):
        module = module_of(name)
        install(
            module.replace("_", "-"),
            f"[despatch.egress]\n{name} = {module}:Sink\n",
            requires=requires,
            modules={module: code},
        )

    return install_sink


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad_plugins_model.py").write_text(MODEL)
    yield tmp_path
    sys.modules.pop("bad_plugins_model", None)


@pytest.fixture
def write(folder):
    def write(*connectors, more=""):
        sinks = ", ".join(json.dumps({"connector": each, "name": "sink"}) for each in connectors)
        path = folder / "line.yaml"
        path.write_text(f"model: bad_plugins_model:build\negress: [{sinks}]\n{more}")
        return str(path)

    return write


def told(result):
    return " ".join(f"{result.stdout}{result.stderr}".split())


@pytest.mark.parametrize("name", [each for each in BAD if each != "jsonl"])
def test_a_bad_plugin_is_refused_by_every_command_that_would_use_it(install_sink, write, name):
    code, requires, reason, remedy = BAD[name]
    install_sink(name, code, requires)
    path = write(name)
    origin = f"{module_of(name).replace('_', '-')} 1.0"
    for command in ("check", "run", "doctor"):
        refused = CliRunner().invoke(app, [command, path])
        assert refused.exit_code == 2, (command, told(refused))
        named = f"line.yaml:2: egress[0].connector: egress connector '{name}' ({origin})"
        assert named in told(refused)
        assert reason in told(refused)
        assert remedy in told(refused)
    if requires != ["despatch"] or name == "-wrong name":
        assert module_of(name) not in sys.modules


def test_all_bad_plugins_together_are_listed_with_what_to_do_and_hinder_nothing(
    install_sink, write, folder
):
    for name, (code, requires, _, _) in BAD.items():
        install_sink(name, code, requires)
    install_sink("good")
    listed = CliRunner().invoke(app, ["plugins", "list", "--json"])
    rows = {(row["distribution"], row["name"]): row for row in json.loads(listed.stdout)}
    assert rows["acme-good", "good"]["status"] == "ready"
    for name, (_, _, reason, remedy) in BAD.items():
        row = rows[module_of(name).replace("_", "-"), name]
        if name == "raises-when-made":
            # What a constructor does is known when there are settings for it.
            assert row["status"] == "ready"
            continue
        assert row["version"] == "1.0"
        assert reason.removeprefix("is broken: ").removeprefix("is incompatible: ") in row["reason"]
        assert remedy in row["hint"]
    assert CliRunner().invoke(app, ["--help"]).exit_code == 0
    finished = CliRunner().invoke(app, ["run", write("good")])
    assert finished.exit_code == 0, told(finished)
    assert [each for each in map(module_of, BAD) if each in sys.modules] == []


def despatch(*arguments, **given):
    return subprocess.run(
        [sys.executable, "-m", "despatch", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        **given,
    )


@pytest.mark.parametrize(
    "forever",
    [
        "import asyncio; await asyncio.Event().wait()",
        # As a client library that blocks is used, and what the interpreter waits for at its end.
        "import asyncio, threading; await asyncio.to_thread(threading.Event().wait)",
    ],
)
def test_the_doctor_names_a_plugin_that_hangs_in_open_and_ends(
    install_sink, write, folder, forever
):
    install_sink("hangs", HANGS.format(forever))
    path = write("hangs")
    (folder / "line.yaml").write_text(
        "model: bad_plugins_model:build\n"
        "egress: [{connector: hangs, timeout: 200ms}, {connector: jsonl, path: out.jsonl}]\n"
    )
    found = despatch("doctor", path)
    assert found.returncode == 1
    expected = "egress connector 'hangs' (acme-hangs 1.0) gave no answer within 0.2 s"
    assert expected in " ".join(found.stdout.split())
    assert "sink jsonl (jsonl): in order" in found.stdout


def test_the_doctor_names_a_plugin_that_blocks_its_loop_and_ends(install_sink, write, folder):
    install_sink("blocks", HANGS.format("import threading; threading.Event().wait()"))
    path = write("blocks")
    (folder / "line.yaml").write_text(
        "model: bad_plugins_model:build\negress: [{connector: blocks, timeout: 200ms}]\n"
    )
    found = despatch("doctor", path)
    assert found.returncode == 1
    said = " ".join(found.stderr.split())
    assert "sink blocks, egress connector 'blocks' (acme-blocks 1.0), blocks" in said
    assert "acme_blocks.py:" in said
    assert "the examination does not end" in said


def test_a_run_says_which_plugin_hangs_in_open_and_delivers_to_the_others(
    install_sink, write, folder
):
    install_sink("hangs", HANGS.format("import asyncio; await asyncio.Event().wait()"))
    path = write("hangs")
    (folder / "line.yaml").write_text(
        "model: bad_plugins_model:build\n"
        "courier: {grace: 1s}\n"
        "egress: [{connector: hangs, timeout: 200ms}, {connector: jsonl, path: out.jsonl}]\n"
    )
    finished = despatch("run", path)
    assert finished.returncode == 3, finished.stderr
    expected = "opening egress connector 'hangs' (acme-hangs 1.0) took longer than 0.2 s"
    assert expected in " ".join(finished.stderr.split())
    assert (folder / "out.jsonl").read_text().count("part-1") == 1


def test_a_plugin_that_is_not_used_is_not_imported(install_sink, write, folder, tmp_path):
    install_sink("used")
    install_sink("unused")
    program = (
        "import sys, json; from despatch.cli import app\n"
        "try: app(sys.argv[1:], standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "print(json.dumps([*sys.modules]), file=sys.stderr)"
    )

    def modules_after(*arguments):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
        )
        return set(json.loads(done.stderr.splitlines()[-1]))

    path = write("used", more="logs: {level: error}\n")
    for arguments in (["--help"], ["plugins", "list"]):
        loaded = modules_after(*arguments)
        assert not any(each.startswith("acme_") for each in loaded), arguments
        assert "despatch.connectors.jsonl" not in loaded
    for arguments in (["check", path], ["run", path], ["plugins", "describe", "used"]):
        loaded = modules_after(*arguments)
        assert {each for each in loaded if each.startswith("acme_")} == {"acme_used"}, arguments
        assert "despatch.connectors.jsonl" not in loaded


def test_the_allow_list_keeps_the_code_of_others_out(install_sink, write, monkeypatch):
    install_sink("other", "1 / 0")
    install_sink("good")
    monkeypatch.setenv("DESPATCH_PLUGINS", "good")
    path = write("good")
    assert CliRunner().invoke(app, ["check", path]).exit_code == 0
    refused = CliRunner().invoke(app, ["check", write("other")])
    assert refused.exit_code == 2
    assert "'other' (acme-other 1.0) is not allowed" in told(refused)
    assert "DESPATCH_PLUGINS" in told(refused)
    assert os.environ["DESPATCH_PLUGINS"] == "good"
