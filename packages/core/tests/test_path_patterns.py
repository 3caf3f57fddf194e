from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.registry import path_patterns
from despatch.registry.path_patterns import PathPatterns

TEXTS = st.text("ab*?[]!.\\|$\n", max_size=8)


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_a_path_matches_as_fnmatch_says_however_often_it_is_asked(patterns, paths) -> None:
    compiled = PathPatterns(patterns)
    for path in paths * 2:
        assert (path in compiled) == any(fnmatchcase(path, pattern) for pattern in patterns)


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        ("Line_A.*.capacity", True),
        ("Line_?.lathe.capacity", True),
        ("Line_[AB].*", True),
        ("*", True),
        ("line_a.*", False),
        ("Line_A.lathe", False),
        ("", False),
    ],
)
def test_a_pattern_names_paths(pattern, is_match) -> None:
    assert ("Line_A.lathe.capacity" in PathPatterns([pattern])) == is_match


def test_without_patterns_nothing_matches() -> None:
    assert "" not in PathPatterns([])
    assert "A" not in PathPatterns([])


def test_verdicts_are_kept_within_bounds(monkeypatch) -> None:
    monkeypatch.setattr(path_patterns, "_KEPT", 3)
    patterns = PathPatterns(["A.*"])
    for number in range(10):
        assert f"A.{number}" in patterns
        assert "A." + "x" * 1_000 in patterns
    assert 0 < len(patterns._verdicts) <= 3
    assert max(map(len, patterns._verdicts)) < 10
