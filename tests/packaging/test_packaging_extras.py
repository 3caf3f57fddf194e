"""What comes with despatch alone, and what each extra brings: its plugin, its client, no other.

boto3 is a client of two: Parquet files and Avro schemas both may lie at AWS.
"""

from __future__ import annotations

import json
import re

import pytest

from clean_environments import CleanEnvironment
from despatch.plugins import Kind
from pages import ROOT
from workspace import CLIENTS, CORE, EXTRAS, LIBRARIES, TOOLS

EVERY_CLIENT = set().union(*CLIENTS.values(), LIBRARIES.values())
EVERY_LIBRARY = {**LIBRARIES, **TOOLS}
EVERY_PLUGIN = {package.name for package in EXTRAS.values()}
EXTRA_OF = {plugin: extra for extra, package in EXTRAS.items() for plugin in package.plugins}
PLUGINS = list(EXTRA_OF)
BY_ITSELF = {"ray"}
"""What `all` leaves out."""
ALL_AND_MORE = f"despatch[all,{','.join(BY_ITSELF)}]"

MODEL = """
from decimal import Decimal

def build(env):
    for number in range(5):
        env.publish_event(f"part-{number}", {"price": Decimal(number), "status": "made"})
"""
TO_A_FILE = """
name: line
model: model:build
egress:
  - {connector: jsonl, path: out.jsonl}
"""

TO_A_FILE_BY = "{{connector: jsonl, path: x.jsonl, serializer: {}}}"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    return tmp_path


def run(environment, settings, folder, command="run", **variables):
    (folder / "settings.yaml").write_text(settings, encoding="utf-8")
    return environment.despatch(command, "settings.yaml", cwd=folder, **variables)


def settings_that_ask_for(plugins):
    """Settings that ask for plugins, and have nothing else that could be wrong."""
    lists = {}
    for kind, name in plugins:
        if kind == "states":
            lists["state"] = f"{{source: {name}}}"
        elif kind == "executors":
            lists["executor"] = f"{{name: {name}}}"
        elif kind == "serializers":
            lists.setdefault("egress", []).append(TO_A_FILE_BY.format(name))
        else:
            lists.setdefault(kind, []).append(f"{{connector: {name}}}")
    entries = {
        key: each if isinstance(each, str) else f"[{', '.join(each)}]"
        for key, each in lists.items()
    }
    return "model: model:build\n" + "".join(f"{key}: {each}\n" for key, each in entries.items())


def test_the_extras_are_those_that_the_issue_names():
    assert set(EXTRAS) == {"kafka", "redis", "parquet", "avro", "sql", "ray"}
    assert LIBRARIES == {"metrics": "prometheus-client"}
    assert TOOLS == {"pictures": "matplotlib", "scaffold": "copier", "testing": "pytest"}
    (requirement,) = CORE.project["optional-dependencies"]["all"]
    named = set(re.fullmatch(r"despatch\[(.*)\]", requirement)[1].split(","))
    assert named == {*EXTRAS, *LIBRARIES} - BY_ITSELF
    for extra, clients in {
        "kafka": {"aiokafka"},
        "redis": {"redis"},
        "parquet": {"pyarrow", "boto3"},
        "sql": {"sqlalchemy", "psycopg"},
        "avro": {"fastavro", "boto3"},
        "ray": {"ray"},
    }.items():
        assert clients <= CLIENTS[extra]


def test_the_install_page_says_what_each_extra_brings():
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| `")]
    shown = {
        row[0].strip(" `"): [set(re.findall(r"`([\w-]+)`", cell)) for cell in row] for row in rows
    }
    assert set(shown) == {*EXTRAS, *EVERY_LIBRARY, "all"}
    for extra, library in EVERY_LIBRARY.items():
        _, distributions, plugins, libraries, _ = shown[extra]
        assert (distributions, plugins, libraries) == (set(), set(), {library})
    for extra, package in EXTRAS.items():
        _, distributions, plugins, clients, _ = shown[extra]
        assert distributions == {package.name}
        assert plugins == {name for _, name in package.plugins}
        assert clients >= CLIENTS[extra]


def test_the_core_alone_brings_no_plugin_and_no_client(environment):
    installed = environment("despatch").installed()
    assert installed["despatch"] == CORE.version
    assert installed.keys().isdisjoint({*EVERY_PLUGIN, *EVERY_CLIENT, *TOOLS.values()})


def test_the_core_alone_runs_a_model(environment, folder):
    alone = environment("despatch")
    assert alone.despatch("--help", cwd=folder).returncode == 0
    finished = run(alone, TO_A_FILE, folder)
    assert finished.returncode == 0, finished.stderr
    assert len((folder / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 5


def test_the_core_alone_runs_the_demo(environment, folder):
    finished = environment("despatch").despatch("demo", "--factor", "0", cwd=folder)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("command", ["check", "run"])
def test_asking_the_core_alone_for_a_plugin_says_what_brings_it(environment, folder, command):
    # A file has as many sinks and sources as one likes, one state source, and one executor.
    single = [each for each in PLUGINS if each[0] in ("states", "executors")]
    others = [each for each in PLUGINS if each not in single]
    for asked in (others, *([each] for each in single)):
        settings = settings_that_ask_for(asked)
        refused = run(environment("despatch"), settings, folder, command)
        assert refused.returncode == 2
        mistakes = refused.stderr.splitlines()
        assert len(mistakes) == len(asked)
        for kind, name in asked:
            noun = Kind(kind).noun
            (said,) = (each for each in mistakes if f"{noun} {name!r} is not" in each)
            assert said.endswith(f'install it: pip install "despatch[{EXTRA_OF[kind, name]}]"')


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_brings_its_plugin_and_its_client_and_nothing_of_the_others(
    environment, folder, extra
):
    installed = environment(f"despatch[{extra}]").installed()
    assert installed.keys() & EVERY_PLUGIN == {EXTRAS[extra].name}
    assert installed[EXTRAS[extra].name] == EXTRAS[extra].version
    assert installed.keys() & EVERY_CLIENT == CLIENTS[extra]


@pytest.mark.parametrize("extra", EVERY_LIBRARY)
def test_an_extra_brings_its_library_and_nothing_of_the_others(environment, extra):
    installed = environment(f"despatch[{extra}]").installed()
    brought = installed.keys() & {*EVERY_PLUGIN, *EVERY_CLIENT, *TOOLS.values()}
    assert brought == {EVERY_LIBRARY[extra]}


def test_metrics_without_their_library_are_refused_with_what_brings_it(environment, folder):
    settings = "model: model:build\nmetrics: {}\n"
    for command in ("check", "run"):
        refused = run(environment("despatch"), settings, folder, command)
        assert refused.returncode == 2
        assert refused.stderr.rstrip().endswith('install it: pip install "despatch[metrics]"')
    assert run(environment("despatch[metrics]"), settings, folder, "check").returncode == 0


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_plugins_of_an_extra_are_ready(environment, folder, extra):
    listed = environment(f"despatch[{extra}]").plugins(folder)
    brought = {key: row for key, row in listed.items() if row["distribution"] != CORE.name}
    assert sorted(brought) == sorted(EXTRAS[extra].plugins)
    for row in brought.values():
        assert (row["status"], row["reason"], row["warning"]) == ("ready", "", "")


def test_all_brings_everything_but_what_is_for_clusters(environment, folder):
    everything = environment("despatch[all]")
    brought = EVERY_PLUGIN - {EXTRAS[extra].name for extra in BY_ITSELF}
    clients = EVERY_CLIENT - set().union(*(CLIENTS[extra] for extra in BY_ITSELF))
    assert everything.installed().keys() & {*EVERY_PLUGIN, *EVERY_CLIENT} == brought | clients
    listed = everything.plugins(folder)
    assert {row["distribution"] for row in listed.values()} == {CORE.name} | brought
    assert {row["status"] for row in listed.values()} == {"ready"}


def test_what_is_installed_and_not_asked_for_is_not_imported(environment, folder):
    # Python lists on standard error what it imports, in the simulator and in the courier.
    finished = run(environment(ALL_AND_MORE), TO_A_FILE, folder, PYTHONPROFILEIMPORTTIME="1")
    assert finished.returncode == 0, finished.stderr
    imported = re.findall(r"^import time: .*\| +([\w.]+)$", finished.stderr, re.MULTILINE)
    packages = {name.partition(".")[0] for name in imported}
    assert {"despatch.run", "despatch.courier.courier"} <= set(imported)
    assert packages.isdisjoint({name.replace("-", "_") for name in EVERY_PLUGIN | EVERY_CLIENT})


def test_importing_despatch_and_its_help_import_no_plugin(environment, folder):
    everything = environment(ALL_AND_MORE)
    for arguments in (["--help"], ["plugins", "--help"], ["--version"]):
        finished = everything.despatch(*arguments, cwd=folder, PYTHONPROFILEIMPORTTIME="1")
        assert finished.returncode == 0, finished.stderr
        for name in EVERY_PLUGIN | EVERY_CLIENT:
            assert not re.search(rf"\| +{name.replace('-', '_')}$", finished.stderr, re.MULTILINE)


def test_files_are_written_with_nothing_but_the_parquet_extra(environment, folder):
    settings = """
        name: line
        model: model:build
        egress:
          - {connector: parquet, uri: lake}
    """
    parquet = environment("despatch[parquet]")
    finished = run(parquet, settings, folder)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    (file,) = (folder / "lake").rglob("*.parquet")
    reading = (
        f"import pyarrow.parquet as pq; print(pq.read_table({str(file)!r})['key'].to_pylist())"
    )
    keys = [f"part-{number}" for number in range(5)]
    assert parquet.run_python("-c", reading, cwd=folder).strip() == str(keys)


def test_pip_finds_an_extra_among_the_wheels(dist, tmp_path):
    environment = CleanEnvironment(tmp_path / "environment")
    environment.install("pip")
    line = f"pip install --dry-run --report - --quiet --find-links {dist} despatch[redis]"
    report = json.loads(environment.run_python("-m", *line.split(), cwd=tmp_path))
    found = {each["metadata"]["name"]: each["download_info"]["url"] for each in report["install"]}
    assert found.keys() & EVERY_PLUGIN == {EXTRAS["redis"].name}
    assert {CORE.name, *CLIENTS["redis"]} <= found.keys()
    for package in (CORE, EXTRAS["redis"]):
        assert found[package.name].startswith((dist / package.stem).as_uri())
