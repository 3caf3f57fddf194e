"""The page of all tests of the conformance kit: what stands on it, and what must not be missing."""

from __future__ import annotations

import inspect
import re

import griffe
import pytest
from mkdocs.config import load_config
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files

import despatch.testing
import kit_pages
from despatch.testing import Conformance
from kit_pages import all_suites, page, section
from pages import ROOT

CODE = '''
    import pytest
    from despatch.testing import Conformance, applies_if

    class CoffeeConformance(Conformance):
        """The tests that a coffee machine passes.

        Attributes:
            has_milk: Whether it has milk.
        """

        has_milk = False

        @pytest.fixture
        def cup(self) -> str:
            """What the coffee goes into."""

        @applies_if("has_milk")
        def test_milk_comes_last(self, cup: str) -> None:
            """The coffee is there before the milk.

            If it fails: look at the order of the pipes.
            """
'''


def told(code):
    with griffe.temporary_visited_module(code) as module:
        return section(module["CoffeeConformance"])


def test_each_test_of_each_public_suite_is_on_the_page():
    text = page(list(all_suites()))
    for name in despatch.testing.__all__:
        suite = getattr(despatch.testing, name)
        if not inspect.isclass(suite) or not issubclass(suite, Conformance):
            continue
        part = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)[1]
        inherited = set() if suite is Conformance else set(dir(Conformance))
        tests = {each for each in set(dir(suite)) - inherited if each.startswith("test_")}
        assert tests <= set(re.findall(r"^### (\w+)$", part, re.MULTILINE)), name


def test_a_suite_is_told_with_its_flags_its_fixtures_and_its_tests():
    text = told(CODE)
    assert text.startswith("## CoffeeConformance\n\nThe tests that a coffee machine passes.")
    assert "| `has_milk` | `False` | Whether it has milk. |" in text
    assert "| `cup` | What the coffee goes into. |" in text
    assert text.endswith(
        "### test_milk_comes_last\n\nThe coffee is there before the milk.\n\n"
        "Applies if `has_milk`.\n\n**If it fails:** look at the order of the pipes."
    )


@pytest.mark.parametrize(
    ("documented", "missing"),
    [
        ("If it fails: look at the order of the pipes.", "test_milk_comes_last does not say"),
        ("The coffee is there before the milk.", "test_milk_comes_last does not say what it"),
        ('"""What the coffee goes into."""', r"cup has no docstring"),
        ("has_milk: Whether it has milk.", r"has_milk is not documented"),
    ],
)
def test_what_is_not_documented_fails(documented, missing):
    with pytest.raises(PluginError, match=missing):
        told(CODE.replace(documented, "..." if '"' in documented else ""))


def test_an_undocumented_test_fails_the_build(monkeypatch):
    with griffe.temporary_visited_module(CODE.replace("If it fails", "Maybe")) as module:
        suite = module["CoffeeConformance"]
    monkeypatch.setattr(kit_pages, "all_suites", lambda: [suite])
    with pytest.raises(PluginError, match="test_milk_comes_last does not say"):
        kit_pages.on_files(Files([]), load_config(str(ROOT / "mkdocs.yml")))
