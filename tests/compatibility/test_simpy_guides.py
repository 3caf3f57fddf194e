"""The snippets of SimPy's manual do on despatch's classes what the manual says."""

from __future__ import annotations

import doctest
import re

import pytest

from compatibility.rebinding import ALL_REBOUND, PARTS, originals_in, rebound

MONITORING = "docs/topical_guides/monitoring.rst"
PAGES = {
    "README.rst": 6,
    "docs/index.rst": 6,
    "docs/simpy_intro/basic_concepts.rst": 5,
    "docs/simpy_intro/process_interaction.rst": 11,
    "docs/simpy_intro/shared_resources.rst": 6,
    "docs/topical_guides/environments.rst": 12,
    "docs/topical_guides/events.rst": 26,
    MONITORING: 41,
    "docs/topical_guides/process_interaction.rst": 15,
    "docs/topical_guides/resources.rst": 68,
    "docs/topical_guides/simpy_basics.rst": 11,
}
"""How many examples each page has. The page on RealtimeEnvironment is left out: that is SimPy's."""


def snippets_of(page):
    """The page's blocks of Python, without their indentation."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^\.\. code-block:: python\n\n((?: {3}.*\n|\n)+)", text, re.MULTILINE)
    return [re.sub(r"^ {3}", "", block, flags=re.MULTILINE) for block in found]


def run_examples(text, name, parts):
    """Run the examples of a text in one namespace with `parts` rebound; how many there were.

    Raises:
        AssertionError: One of them printed something else than the text shows.
    """
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    said = []
    with rebound(parts):
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        # Processes that wait at the end need their names still when they are collected.
        results = runner.run(test, out=said.append, clear_globs=False)
        assert originals_in(test.globs, parts) == []
    assert results.failed == 0, "".join(said)
    return results.attempted


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("number", range(4))
def test_a_snippet_of_simpys_monitoring_guide_works(simpy_source, number, parts):
    snippets = snippets_of(simpy_source / MONITORING)
    assert len(snippets) == 4
    assert run_examples(snippets[number], f"{MONITORING}[{number}]", parts) > 0


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_simpys_manual_shows_what_happens(simpy_source, page):
    text = (simpy_source / page).read_text(encoding="utf-8")
    assert run_examples(text, page, ALL_REBOUND) == PAGES[page]
