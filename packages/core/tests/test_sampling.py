from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from despatch.sampling import Streams


def draws(streams, path, count=5):
    generator = streams.generator(path)
    return [generator.random() for _ in range(count)]


def test_the_same_seed_and_path_give_the_same_draws() -> None:
    assert draws(Streams(7), "Line.milling") == draws(Streams(7), "Line.milling")


def test_draws_are_the_same_in_every_process_and_year() -> None:
    first = draws(Streams(42), "Line_A.lathe.milling", 2)
    assert first == [0.8915148606383736, 0.3365566589477187]


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcde"), max_size=30))
def test_what_others_draw_leaves_a_path_alone(others) -> None:
    streams = Streams(7)
    mine = []
    for other in [*others, None]:
        mine += draws(streams, "mine", 1)
        if other is not None:
            draws(streams, other, 3)
    assert mine == draws(Streams(7), "mine", len(mine))


def test_paths_and_seeds_have_streams_of_their_own() -> None:
    firsts = [
        draws(Streams(seed), path, 1)[0]
        for seed in (0, 1, 2**128)
        for path in ("a", "b", "a.b", "ä", "")
    ]
    assert len(set(firsts)) == len(firsts)


def test_a_path_keeps_its_generator() -> None:
    streams = Streams(7)
    assert streams.generator("a") is streams.generator("a")


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0, not -1"):
        Streams(-1)


def test_parameters_and_the_registry_do_without_numpy() -> None:
    code = "import sys, despatch.parameters, despatch.registry\nsys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
