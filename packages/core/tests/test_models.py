from __future__ import annotations

import sys

import pytest

from despatch.models import ModelError, find_model, find_resume


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with nothing of it left on the path afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refused(name):
    with pytest.raises(ModelError) as caught:
        find_model(name)
    return str(caught.value)


def test_a_model_is_found_in_the_current_folder(folder):
    (folder / "own_line.py").write_text("def build(env): return env\n")
    assert find_model("own_line:build")("env") == "env"
    assert sys.path[0] == str(folder)


def test_a_model_may_be_in_a_package_and_an_attribute_of_an_attribute(folder):
    (folder / "own_plant").mkdir()
    (folder / "own_plant" / "line.py").write_text("class Line:\n    def build(env): return env\n")
    assert find_model("own_plant.line:Line.build")("env") == "env"


def test_the_folder_is_put_on_the_path_once(folder):
    (folder / "own_line.py").write_text("def build(env): ...\n")
    find_model("own_line:build")
    find_model("own_line:build")
    assert sys.path.count(str(folder)) == 1


@pytest.mark.parametrize("name", ["own_missing:build", "own_missing.line:build"])
def test_a_module_that_is_not_there_is_said_with_where_it_was_sought(folder, name):
    assert refused(name) == (
        f"there is no module 'own_missing': expected one in {folder} or installed"
    )


def test_a_module_that_a_model_lacks_is_not_taken_for_the_model(folder):
    (folder / "own_line.py").write_text("import own_missing_library\n")
    message = refused("own_line:build")
    assert message.startswith("importing 'own_line' raised ModuleNotFoundError: No module named")
    assert message.endswith(f"({folder / 'own_line.py'}:1)")


@pytest.mark.parametrize("code", ["1 / 0", "raise SystemExit(3)", "def ("])
def test_what_a_model_raises_when_imported_is_said_with_its_cause(folder, code):
    (folder / "own_line.py").write_text(code)
    with pytest.raises(ModelError, match="importing 'own_line' raised") as caught:
        find_model("own_line:build")
    assert type(caught.value.__cause__).__name__ in str(caught.value)


def test_a_callable_that_is_not_there_is_met_with_the_nearest(folder):
    (folder / "own_line.py").write_text("def build(env): ...\nbuilt = 5\n")
    assert refused("own_line:bulid") == "expected 'bulid' in own_line: did you mean 'build'?"
    assert refused("own_line:zzz") == "expected 'zzz' in own_line"


def test_what_is_no_callable_is_no_model(folder):
    (folder / "own_line.py").write_text("built = 5\n")
    assert refused("own_line:built") == "expected a callable, got an object of type int"


def test_what_has_a_model_begin_from_a_state_is_beside_it(folder):
    (folder / "own_line.py").write_text(
        "def build(env): ...\n"
        "def resume(env, snapshot): return 'line'\n"
        "class Plant:\n"
        "    def build(env): ...\n"
        "    def resume(env, snapshot): return 'plant'\n"
        "class Fixed:\n"
        "    def build(env): ...\n"
    )
    assert find_resume("own_line:build")("env", "snapshot") == "line"
    assert find_resume("own_line:Plant.build")("env", "snapshot") == "plant"
    assert find_resume("own_line:Fixed.build") is None
    assert find_resume("own_line:Missing.build") is None


def test_a_resume_that_cannot_be_called_or_imported_is_refused(folder):
    (folder / "own_line.py").write_text("def build(env): ...\nresume = 7\n")
    with pytest.raises(ModelError, match="expected a callable, got an object of type int"):
        find_resume("own_line:build")
    with pytest.raises(ModelError, match="there is no module 'own_missing'"):
        find_resume("own_missing:build")
