"""The pages of the hooks: what stands on them, what must not be missing, and their examples."""

from __future__ import annotations

import json
import os
import re

import griffe
import pytest
from mkdocs.config import load_config
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files

import hook_pages
from despatch.hooks import HOOKS, fault_of
from hook_pages import all_hooks, documented_fields, example_of, page
from pages import ROOT
from processes import CommandLines

BY_NAME = {hook.name: hook for hook in all_hooks()}
MODEL = """
from despatch import SimParameter

class Desk(SimParameter):
    staff: int = 1

def build(env):
    env.registry.register("Desk", Desk())

    def go():
        yield env.timeout(2)
        env.publish_event("part-1", {"number": 1})
        env.publish_event("part-2", object())

    env.process(go())
"""
SETTINGS = """
name: desk
model: desk:build
clock: {until: 5s}
ingress:
  - connector: schedule
    commands: [{at: 1, path: Desk.staff, value: 2}, {at: 1, path: Desk.stuff, value: 2}]
egress:
  - {connector: jsonl, path: out.jsonl}
  - {connector: jsonl, name: away, path: /proc/none/out.jsonl, retry: {attempts: 2, initial: 1ms}}
"""


def specification(docstring, *, arguments="run: RunInfo", base=""):
    """A specification of a hook, as the page is made of it."""
    code = f'''
        from despatch.runs import RunInfo

        class CourierHooks:
            """Called in the courier."""

            def despatch_coffee_made(self, {arguments}) -> None:
                {json.dumps(docstring) if docstring else "..."}
    '''
    with griffe.temporary_visited_module(code) as module:
        return module["CourierHooks.despatch_coffee_made"]


COMPLETE = """There is coffee.

Args:
    run: The run.

Example:
    def despatch_coffee_made():
"""


def test_each_hook_has_a_page():
    assert BY_NAME.keys() == set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_a_page_has_the_signature_the_place_the_arguments_and_the_example(name):
    text = page(BY_NAME[name])
    signature = re.search(rf"^def {name}\((.+)\) -> None$", text, re.MULTILINE)
    arguments = [each.partition(":")[0] for each in signature[1].split(", ")]
    rows = re.findall(r"^\| `(\w+)` \| \[`\w+`\]\[despatch\.[\w.]+\] \| .+ \|$", text, re.MULTILINE)
    assert rows == arguments
    for argument in arguments:
        assert re.search(rf"^\| `{argument}\.\w+` \| `.+` \| .+ \|$", text, re.MULTILINE)
    place = text.partition("## Where it is called\n\n")[2].partition("\n##")[0]
    process = "simulator" if name.startswith("despatch_run_") else "courier"
    assert f"in the {process}'s process, on the thread" in place
    assert "One that raises" in place
    assert f"```python\n{example_of(BY_NAME[name])}\n```" in text


def test_the_fields_of_an_argument_are_on_the_page():
    text = page(BY_NAME["despatch_sink_state_changed"])
    assert "| `state.reason` | `str` | Why it is not well; empty where it is. |" in text
    assert "| `run.error` | `str | None` | Why it failed. |" in text


def test_the_index_names_each_hook_when_and_where():
    text = hook_pages.index(list(BY_NAME.values()))
    assert (
        "| [`despatch_batch_delivered`](despatch_batch_delivered.md) | A sink has accounted for a "
        "batch, and its cursor has moved. | courier |"
    ) in text
    assert text.count("| simulator |") == 2
    assert text.count("| courier |") == 4


def test_what_is_documented_has_a_page():
    assert "# `despatch_coffee_made`" in page(specification(COMPLETE))


@pytest.mark.parametrize(
    ("docstring", "missing"),
    [
        ("", "despatch_coffee_made has no docstring"),
        (COMPLETE.replace("run: The run.", "ran: The run."), "the argument run is not documented"),
        (COMPLETE.partition("Example")[0], "has no example"),
    ],
)
def test_a_hook_that_is_not_documented_fails(docstring, missing):
    with pytest.raises(PluginError, match=missing):
        page(specification(docstring))


def test_an_argument_without_a_type_fails():
    with pytest.raises(PluginError, match="the argument run of a hook has no type"):
        page(specification(COMPLETE, arguments="run"))


def test_a_field_that_is_not_documented_fails():
    code = '''
        class Cup:
            """A cup.

            Attributes:
                size: How much goes in.
            """

            size: float
            colour: str
    '''
    with (
        griffe.temporary_visited_module(code) as module,
        pytest.raises(PluginError, match=r"Cup\.colour is not documented"),
    ):
        list(documented_fields(module["Cup"]))


@pytest.fixture
def config():
    return load_config(str(ROOT / "mkdocs.yml"))


def test_an_undocumented_hook_fails_the_build(config, monkeypatch):
    monkeypatch.setattr(hook_pages, "all_hooks", lambda: [specification("")])
    with pytest.raises(PluginError, match="despatch_coffee_made has no docstring"):
        hook_pages.on_files(Files([]), config)


def test_all_pages_are_in_the_navigation(config):
    files = config.plugins.on_files(Files([]), config=config)
    pages = {file.src_uri for file in files if file.src_uri.startswith("hooks/")}
    (hooks,) = [entry["Hooks"] for entry in hook_pages.on_config(config).nav if "Hooks" in entry]
    assert {path for entry in hooks for path in entry.values()} == pages


def test_a_navigation_without_a_place_for_them_fails(config):
    config.nav = [{"Home": "index.md"}]
    with pytest.raises(PluginError, match="expected an entry 'Hooks'"):
        hook_pages.on_config(config)


@pytest.mark.parametrize("name", HOOKS)
def test_an_example_is_a_hook_plugin(name):
    namespace = {}
    exec(example_of(BY_NAME[name]), namespace)
    assert fault_of(type("module", (), {name: staticmethod(namespace[name])})()) is None


def test_the_examples_say_what_happens_in_a_run(tmp_path):
    site = tmp_path / "site-packages"
    info = site / "acme_examples-1.0.dist-info"
    info.mkdir(parents=True)
    header = "Metadata-Version: 2.1\nName: acme-examples\nVersion: 1.0\nRequires-Dist: despatch\n"
    (info / "METADATA").write_text(header)
    points = "".join(f"{name} = example_{name}\n" for name in HOOKS)
    (info / "entry_points.txt").write_text(f"[despatch.hooks]\n{points}")
    for name in HOOKS:
        (site / f"example_{name}.py").write_text(example_of(BY_NAME[name]))
    (tmp_path / "desk.py").write_text(MODEL)
    (tmp_path / "desk.yaml").write_text(SETTINGS)
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    lines = CommandLines(tmp_path, PYTHONPATH=path)
    status, said, errors = lines.run("run", "desk.yaml")
    lines.close()
    assert status == 3, errors  # one sink is away
    expected = {
        "despatch_run_started": r"desk runs as process \d+, its seed is \d+",
        "despatch_command_applied": r"schedule: Desk\.staff is 2",
        "despatch_command_refused": r"schedule asked in vain: .*Desk\.stuff.*",
        "despatch_batch_delivered": "jsonl would not take 1 of its records",
        "despatch_sink_state_changed": "desk: away is away: .+",
        "despatch_run_finished": "desk finished, 2 records are owed",
    }
    assert expected.keys() == set(HOOKS)
    for name, line in expected.items():
        assert re.search(f"^{line}$", said, re.MULTILINE), (name, said, errors)
