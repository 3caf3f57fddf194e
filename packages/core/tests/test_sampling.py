from __future__ import annotations

import subprocess
import sys

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from despatch.distributions import (
    Constant,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Normal,
    Triangular,
    TruncatedNormal,
    Uniform,
    Weibull,
)
from despatch.distributions.sampling import Streams

PATH = "Line_A.lathe.milling"


UNIFORM = Uniform(low=0.0, high=1.0)


def draws(streams, path, count=5, distribution=UNIFORM):
    draw = distribution.draws_from(streams.stream(path))
    return [draw() for _ in range(count)]


def test_the_same_seed_and_path_give_the_same_draws() -> None:
    assert draws(Streams(7), PATH, 3000) == draws(Streams(7), PATH, 3000)


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        (Constant(value=3.0), [3.0, 3.0]),
        (Exponential(rate=2.0), [1.90435021132919, 0.9007203031283666]),
        (Normal(mean=3.0, std=0.5), [2.9880774542411213, 3.5275456857600815]),
        (
            TruncatedNormal(mean=3.0, std=2.0, low=0.0, high=5.0),
            [2.3444112575609735, 4.3975113029223225],
        ),
        (LogNormal(mu=0.5, sigma=0.25), [1.6389220302958116, 2.1463588383469236]),
        (Gamma(shape=2.5, scale=3.0), [3.6490704574288397, 1.2483954542634508]),
        (Weibull(shape=1.5, scale=3.0), [7.316540778448454, 4.441549978329309]),
        (Uniform(low=1.0, high=5.0), [2.573720331761628, 4.5677569370194675]),
        (Triangular(low=1.0, mode=2.0, high=5.0), [2.302067642672427, 3.861259823778225]),
        (Empirical(values=tuple(map(float, range(1000)))), [393.0, 891.0]),
    ],
    ids=lambda each: getattr(each, "family", None),
)
def test_draws_are_the_same_in_every_process_and_year(distribution, expected) -> None:
    # The first draw, and one from a block of the largest size.
    sample = draws(Streams(42), PATH, 2001, distribution)
    assert [sample[0], sample[2000]] == pytest.approx(expected, rel=1e-14)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 40)), max_size=30))
def test_what_others_draw_leaves_a_path_alone(others) -> None:
    streams = Streams(7)
    draw = Gamma(shape=2.0, scale=1.0).draws_from(streams.stream("mine"))
    mine = []
    for other, count in [*others, ("mine's neighbour", 1)]:
        mine += [draw() for _ in range(count)]
        draws(streams, other, count, Gamma(shape=3.0, scale=1.0))
    assert mine == draws(Streams(7), "mine", len(mine), Gamma(shape=2.0, scale=1.0))


distributions = st.sampled_from(
    [
        Constant(value=3.0),
        Exponential(rate=2.0),
        Exponential(rate=5.0),
        Normal(mean=3.0, std=0.5),
        Normal(mean=2.0, std=0.1),
        Gamma(shape=2.5, scale=3.0),
        Gamma(shape=2.5, scale=1.0),
        Gamma(shape=0.7, scale=1.0),
        Uniform(low=1.0, high=5.0),
        TruncatedNormal(mean=3.0, std=0.5, low=0.0),
    ]
)
stays = st.integers(0, 20) | st.integers(0, 1500)


@settings(deadline=None)
@given(st.lists(st.tuples(distributions, stays), max_size=12))
def test_a_draw_is_what_it_would_be_had_the_path_always_been_so(changes) -> None:
    stream = Streams(7).stream(PATH)
    position = 0
    for distribution, count in changes:
        drawn = draws_of(distribution, stream, count)
        always = draws(Streams(7), PATH, position + count, distribution)
        assert drawn == always[position:]
        position += count
        assert stream.position == position


def draws_of(distribution, stream, count):
    draw = distribution.draws_from(stream)
    return [draw() for _ in range(count)]


@pytest.mark.parametrize(
    ("one", "other", "back"),
    [
        (Exponential(rate=2.0), Exponential(rate=5.0), lambda x: x * 5 / 2),
        (Normal(mean=3.0, std=0.5), Normal(mean=1.0, std=2.0), lambda x: (x - 1) / 2 * 0.5 + 3),
        (Gamma(shape=2.5, scale=3.0), Gamma(shape=2.5, scale=1.0), lambda x: x * 3),
        (Exponential(rate=0.5), Weibull(shape=2.0, scale=2.0), lambda x: x * x / 2),
        (UNIFORM, Uniform(low=2.0, high=6.0), lambda x: (x - 2) / 4),
        (UNIFORM, Triangular(low=0, mode=1, high=1), lambda x: x * x),
    ],
)
def test_other_parameters_have_common_random_numbers(one, other, back) -> None:
    first, second = (draws(Streams(7), PATH, 1500, each) for each in (one, other))
    assert [back(x) for x in second] == pytest.approx(first, rel=1e-9, abs=1e-9)


def test_nearly_the_same_shapes_have_nearly_the_same_draws() -> None:
    # The sampler rejects, and after one that only one shape rejects the block's rest differs.
    one = draws(Streams(7), PATH, 1500, Gamma(shape=2.5, scale=1.0))
    other = draws(Streams(7), PATH, 1500, Gamma(shape=2.501, scale=1.0))
    near = sum(abs(x - y) < 0.01 for x, y in zip(one, other, strict=True))
    assert near > 750
    assert one != other


def test_paths_seeds_and_kinds_have_streams_of_their_own() -> None:
    firsts = [
        first
        for seed in (0, 1, 11, 2**128, 10**5000)
        for path in ("a", "b", "a.b", "ä", "", "1 a")
        for first in draws(Streams(seed), path, 600)
    ]
    assert len(set(firsts)) == len(firsts)


def test_paths_are_not_correlated() -> None:
    streams = Streams(7)
    samples = [draws(streams, f"machine_{number}", 2000) for number in range(50)]
    correlations = numpy.corrcoef(samples)[numpy.triu_indices(50, k=1)]
    # 1,225 pairs, each with a standard deviation of 1 / √2000.
    assert abs(correlations).max() < 4.5 / 2000**0.5


def test_a_path_keeps_its_stream() -> None:
    streams = Streams(7)
    assert streams.stream("a") is streams.stream("a")


def test_a_stream_that_is_turned_and_not_drawn_from_stays_where_it_is() -> None:
    stream = Streams(7).stream(PATH)
    uniform = draws_of(UNIFORM, stream, 20)
    for each in (Normal(mean=0.0, std=1.0), Gamma(shape=2.0, scale=1.0)):
        each.draws_from(stream)
    uniform += draws_of(UNIFORM, stream, 20)
    assert uniform == draws(Streams(7), PATH, 40)


def test_a_seed_may_be_an_integer_of_numpys() -> None:
    assert draws(Streams(numpy.int64(42)), PATH) == draws(Streams(42), PATH)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0, not -1"):
        Streams(-1)


@pytest.mark.parametrize("seed", [1.5, "42", None])
def test_a_seed_that_is_no_integer_is_refused(seed) -> None:
    with pytest.raises(TypeError, match="seed: expected an integer, not"):
        Streams(seed)


def test_parameters_and_the_registry_do_without_numpy() -> None:
    code = "import sys, despatch\nsys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
