from __future__ import annotations

import math
from bisect import bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import PCG64, Generator
from pydantic import TypeAdapter, ValidationError

from despatch.commands import Change, Command, Refusal
from despatch.distributions import (
    FAMILIES,
    Constant,
    Distribution,
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
from despatch.environment import DynamicEnvironment
from despatch.errors import InvalidUpdateError, UnknownPathError
from despatch.parameters import SimParameter

EXAMPLES = [
    Constant(value=3.0),
    Exponential(rate=2.0),
    Normal(mean=3.0, std=0.5),
    TruncatedNormal(mean=3.0, std=2.0, low=0.0, high=5.0),
    LogNormal(mu=0.5, sigma=0.25),
    Gamma(shape=2.5, scale=3.0),
    Weibull(shape=1.5, scale=3.0),
    Uniform(low=1.0, high=5.0),
    Triangular(low=1.0, mode=2.0, high=5.0),
    Empirical(values=(1.0, 1.0, 4.0)),
]
"""One of each family."""

families = pytest.mark.parametrize("distribution", EXAMPLES, ids=lambda each: each.family)


def draws(distribution, count=20_000, seed=1):
    draw = distribution.draws_from(Streams(seed).stream("Line_A.lathe.milling"))
    return [draw() for _ in range(count)]


def fields_of(distribution):
    return distribution.model_dump(exclude={"family"})


def test_families_are_listed_by_their_names() -> None:
    assert {name: kind.model_fields["family"].default for name, kind in FAMILIES.items()} == {
        name: name for name in FAMILIES
    }
    assert [type(each) for each in EXAMPLES] == list(FAMILIES.values())


@families
def test_a_field_takes_each_family_by_its_name(distribution) -> None:
    assert TypeAdapter(Distribution).validate_python(distribution.model_dump()) == distribution


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@families
def test_no_parameter_of_a_distribution_is_nan_or_infinite(distribution, number) -> None:
    fields = fields_of(distribution)
    for name, value in fields.items():
        bad = (number,) if isinstance(value, tuple) else number
        with pytest.raises(ValidationError, match=name):
            type(distribution)(**(fields | {name: bad}))


@pytest.mark.parametrize(
    ("family", "fields", "reason"),
    [
        (Exponential, {"rate": 0.0}, "greater than 0"),
        (Normal, {"mean": 1.0, "std": -0.1}, "greater than or equal to 0"),
        (TruncatedNormal, {"mean": 1.0, "std": -0.1}, "greater than or equal to 0"),
        (TruncatedNormal, {"mean": 1.0, "std": 1.0, "low": 2.0, "high": 1.0}, "high must not be"),
        (LogNormal, {"mu": 1.0, "sigma": -0.1}, "greater than or equal to 0"),
        (Gamma, {"shape": 0.0, "scale": 1.0}, "greater than 0"),
        (Gamma, {"shape": 1.0, "scale": 0.0}, "greater than 0"),
        (Weibull, {"shape": 0.0, "scale": 1.0}, "greater than 0"),
        (Weibull, {"shape": 1.0, "scale": 0.0}, "greater than 0"),
        (Uniform, {"low": 2.0, "high": 1.0}, "high must not be below low"),
        (Uniform, {"low": -1.7e308, "high": 1.7e308}, "infinitely far"),
        (Triangular, {"low": 1.0, "mode": 0.9, "high": 2.0}, "mode must not be below low"),
        (Triangular, {"low": 1.0, "mode": 2.1, "high": 2.0}, "nor high below mode"),
        (Triangular, {"low": -1.7e308, "mode": 0.0, "high": 1.7e308}, "infinitely far"),
        (Empirical, {"values": ()}, "at least 1 item"),
        (Empirical, {"values": (True,)}, "valid number"),
        (Constant, {"value": True}, "valid number"),
        (Exponential, {"rate": 1e-307}, "too large for a float"),
        (Normal, {"mean": 1.0, "std": 1e308}, "too large for a float"),
        (Normal, {"mean": -1.7e308, "std": 1e306}, "too large for a float"),
        (TruncatedNormal, {"mean": 1.0, "std": 1e308, "low": 0.0}, "too large for a float"),
        (TruncatedNormal, {"mean": 1.7e308, "std": 1e306}, "too large for a float"),
        (TruncatedNormal, {"mean": 0.0, "std": 1e306, "low": 1.7e308}, "too large for a float"),
        (TruncatedNormal, {"mean": 0.0, "std": 1e306, "high": -1.7e308}, "too large for a float"),
        (LogNormal, {"mu": 710.0, "sigma": 0.0}, "too large for a float"),
        (LogNormal, {"mu": 0.0, "sigma": 50.0}, "too large for a float"),
        (Gamma, {"shape": 1e300, "scale": 1e9}, "too large for a float"),
        (Weibull, {"shape": 0.001, "scale": 1.0}, "too large for a float"),
        (Weibull, {"shape": 1.0, "scale": 1e307}, "too large for a float"),
    ],
)
def test_a_distribution_that_cannot_be_drawn_from_is_refused(family, fields, reason) -> None:
    with pytest.raises(ValidationError, match=reason):
        family(**fields)


# What the formulas of the distributions say.


def normal_below(z):
    return math.erfc(-z / math.sqrt(2)) / 2


def truncated_normal_below(x, mean, std, low, high):
    at = [normal_below((bound - mean) / std) for bound in (low, x, high)]
    return (at[1] - at[0]) / (at[2] - at[0])


def gamma_below(x, shape):
    """For a multiple of 1/2, by P(a + 1, x) = P(a, x) - x^a e^-x / Γ(a + 1)."""
    a, below = (0.5, math.erf(math.sqrt(x))) if shape % 1 else (1.0, -math.expm1(-x))
    while a < shape:
        below -= x**a * math.exp(-x) / math.gamma(a + 1)
        a += 1
    return below


def triangular_below(x, low, mode, high):
    if x < mode:
        return (x - low) ** 2 / (high - low) / (mode - low)
    return 1 - (high - x) ** 2 / (high - low) / (high - mode)


FORMULAS = [
    (Exponential(rate=2.0), lambda x: -math.expm1(-2 * x)),
    (Normal(mean=3.0, std=0.5), lambda x: normal_below((x - 3) / 0.5)),
    (
        TruncatedNormal(mean=3.0, std=2.0, low=0.0, high=5.0),
        lambda x: truncated_normal_below(x, 3, 2, 0, 5),
    ),
    (
        TruncatedNormal(mean=3.0, std=2.0, low=2.5),
        lambda x: truncated_normal_below(x, 3, 2, 2.5, math.inf),
    ),
    (
        TruncatedNormal(mean=3.0, std=2.0, high=1.0),
        lambda x: truncated_normal_below(x, 3, 2, -math.inf, 1),
    ),
    (TruncatedNormal(mean=3.0, std=2.0), lambda x: normal_below((x - 3) / 2)),
    (
        # 40 standard deviations above the mean it is exponential from there, to 1 in 1,000.
        TruncatedNormal(mean=0.0, std=1.0, low=40.0),
        lambda x: -math.expm1(-40.025 * (x - 40)),
    ),
    (LogNormal(mu=0.5, sigma=0.25), lambda x: normal_below((math.log(x) - 0.5) / 0.25)),
    (Gamma(shape=0.5, scale=3.0), lambda x: gamma_below(x / 3, 0.5)),
    (Gamma(shape=1.0, scale=3.0), lambda x: gamma_below(x / 3, 1.0)),
    (Gamma(shape=2.5, scale=3.0), lambda x: gamma_below(x / 3, 2.5)),
    (Gamma(shape=12.0, scale=0.1), lambda x: gamma_below(x / 0.1, 12.0)),
    (Weibull(shape=1.5, scale=3.0), lambda x: -math.expm1(-((x / 3) ** 1.5))),
    (Weibull(shape=0.5, scale=3.0), lambda x: -math.expm1(-((x / 3) ** 0.5))),
    (Uniform(low=1.0, high=5.0), lambda x: (x - 1) / 4),
    (Triangular(low=1.0, mode=2.0, high=5.0), lambda x: triangular_below(x, 1, 2, 5)),
    (Triangular(low=1.0, mode=1.0, high=5.0), lambda x: 1 - (5 - x) ** 2 / 16),
    (Triangular(low=1.0, mode=5.0, high=5.0), lambda x: (x - 1) ** 2 / 16),
]


def kolmogorov_smirnov(sample, below):
    """√n times the largest distance between the sample's distribution and the formula's."""
    probabilities = [below(x) for x in sorted(sample)]
    n = len(probabilities)
    distance = max(max(p - i / n, (i + 1) / n - p) for i, p in enumerate(probabilities))
    return math.sqrt(n) * distance


@pytest.mark.parametrize(("distribution", "below"), FORMULAS, ids=lambda each: repr(each)[:60])
def test_draws_have_the_distribution_of_the_formula(distribution, below) -> None:
    # Beyond 1.95 is one sample in 1,000: M. A. Stephens, Journal of the American Statistical
    # Association 69, 1974.
    assert kolmogorov_smirnov(draws(distribution), below) < 1.95


def test_a_distribution_that_is_off_by_three_percent_would_be_noticed() -> None:
    sample = draws(Exponential(rate=2.0))
    assert kolmogorov_smirnov(sample, lambda x: -math.expm1(-2.06 * x)) > 1.95


def test_observed_values_are_drawn_as_often_as_they_were_observed() -> None:
    values = (1.5, 1.5, 2.5, 4.0)
    sample = sorted(draws(Empirical(values=values)))
    assert set(sample) == set(values)
    for value in (1.5, 2.5):
        expected = bisect_right(values, value) / len(values)
        assert bisect_right(sample, value) / len(sample) == pytest.approx(expected, abs=0.01)


def test_a_constant_is_its_value_and_takes_a_variate_as_any_draw_does() -> None:
    stream = Streams(1).stream("x")
    draw = Constant(value=3.0).draws_from(stream)
    assert [draw(), draw()] == [3.0, 3.0]
    assert stream.position == 2


def test_a_triangular_distribution_without_width_is_a_point() -> None:
    assert draws(Triangular(low=2.0, mode=2.0, high=2.0), count=3) == [2.0, 2.0, 2.0]


@families
def test_a_draw_is_a_plain_float(distribution) -> None:
    assert {type(draw) for draw in draws(distribution, count=10)} == {float}
    whole = {
        name: tuple(map(int, value)) if isinstance(value, tuple) else math.ceil(value)
        for name, value in fields_of(distribution).items()
    }
    assert {type(draw) for draw in draws(type(distribution)(**whole), count=10)} == {float}


class Ends:
    """Variates that are as small, or as large, as uniform numbers of numpy's are."""

    def __init__(self, uniform) -> None:
        self.uniform = uniform

    def uniforms(self):
        return lambda: self.uniform


@pytest.mark.parametrize("uniform", [0.0, math.nextafter(1.0, 0.0)])
@pytest.mark.parametrize(
    "distribution",
    [
        Uniform(low=-0.1, high=0.3),
        Triangular(low=-3.6, mode=-3.6, high=4.7),
        Triangular(low=-3.6, mode=4.7, high=4.7),
        Triangular(low=-3.6, mode=1.1, high=4.7),
        TruncatedNormal(mean=0.0, std=1.0),
        TruncatedNormal(mean=0.0, std=1.0, low=-1.0, high=1.0),
        TruncatedNormal(mean=9.0, std=1.0, high=1.0),
        TruncatedNormal(mean=-90.0, std=1.0, low=1.0),
        Empirical(values=(1.0, 2.0, 3.0)),
    ],
    ids=repr,
)
def test_a_draw_stays_within_its_bounds_where_the_uniform_number_ends(
    distribution, uniform
) -> None:
    draw = distribution.draws_from(Ends(uniform))()
    low, high = (getattr(distribution, name, None) for name in ("low", "high"))
    assert (-10.0 if low is None else low) <= draw <= (10.0 if high is None else high)


numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(st.sampled_from(EXAMPLES).map(type), st.lists(numbers, min_size=4, max_size=4))
def test_what_was_accepted_gives_finite_draws_within_its_bounds(family, values) -> None:
    names = [name for name in family.model_fields if name != "family"]
    fields = dict(zip(names, values, strict=False))
    if family is Empirical:
        fields = {"values": tuple(values)}
    try:
        distribution = family(**fields)
    except ValidationError:
        return
    for draw in draws(distribution, count=20):
        assert math.isfinite(draw)
        assert fields.get("low", -math.inf) <= draw <= fields.get("high", math.inf)


@settings(deadline=None)
@given(numbers, st.floats(0, 1e300), st.floats(0, 1))
def test_a_triangular_draw_lies_between_its_bounds(low, width, part) -> None:
    high = low + width
    if not math.isfinite(high - low):
        return
    triangular = Triangular(low=low, mode=min(low + part * width, high), high=high)
    assert all(low <= draw <= high for draw in draws(triangular, count=20))


@families
def test_a_draw_without_a_registry_takes_one_variate_of_the_generator(distribution) -> None:
    first, second = Generator(PCG64(1)), Generator(PCG64(1))
    drawn = [distribution.sample(first) for _ in range(3)]
    assert drawn == [distribution.sample(second) for _ in range(3)]
    assert {type(draw) for draw in drawn} == {float}
    assert first.random() == second.random() != Generator(PCG64(1)).random()


def test_a_draw_from_what_is_no_generator_is_refused() -> None:
    with pytest.raises(TypeError, match=r"generator: expected a numpy\.random\.Generator, not 42"):
        Exponential(rate=2.0).sample(42)


# Live, through the registry.


class Lathe(SimParameter):
    milling: Distribution = Constant(value=1.0)


PATH = "Line_A.lathe.milling"


@pytest.fixture
def env():
    env = DynamicEnvironment(seed=42)
    env.registry.register("Line_A.lathe", Lathe())
    return env


@pytest.mark.parametrize("is_mapping", [True, False])
@families
def test_a_family_is_exchanged_live_and_brings_its_parameters(
    env, distribution, is_mapping
) -> None:
    value = distribution.model_dump() if is_mapping else distribution
    env.registry.update({PATH: Uniform(low=7.0, high=8.0)})
    env.registry.update({PATH: value})
    assert env.registry[PATH] == distribution
    parts = {f"{PATH}.{name}": value for name, value in fields_of(distribution).items()}
    assert {path: env.registry[path] for path in parts} == parts
    assert set(env.registry.paths()) == {PATH, *parts}
    fresh = DynamicEnvironment(seed=42)
    fresh.registry.register("Line_A.lathe", Lathe(milling=distribution))
    assert env.sample(PATH) == fresh.sample(PATH)


@pytest.mark.parametrize(
    ("distribution", "part", "value"),
    [
        (Constant(value=3.0), "value", 4.0),
        (Exponential(rate=2.0), "rate", 3.0),
        (Normal(mean=3.0, std=0.5), "mean", 4.0),
        (Normal(mean=3.0, std=0.5), "std", 0.25),
        (TruncatedNormal(mean=3.0, std=0.5, low=0.0), "mean", 4.0),
        (TruncatedNormal(mean=3.0, std=0.5, low=0.0), "std", 0.25),
        (TruncatedNormal(mean=3.0, std=0.5, low=0.0), "low", 2.75),
        (TruncatedNormal(mean=3.0, std=0.5, low=2.75), "low", None),
        (TruncatedNormal(mean=3.0, std=0.5, low=0.0), "high", 3.25),
        (LogNormal(mu=0.5, sigma=0.25), "mu", 1.0),
        (LogNormal(mu=0.5, sigma=0.25), "sigma", 0.5),
        (Gamma(shape=2.5, scale=3.0), "shape", 3.5),
        (Gamma(shape=2.5, scale=3.0), "scale", 1.5),
        (Weibull(shape=1.5, scale=3.0), "shape", 2.5),
        (Weibull(shape=1.5, scale=3.0), "scale", 1.5),
        (Uniform(low=1.0, high=5.0), "low", 2.0),
        (Uniform(low=1.0, high=5.0), "high", 6.0),
        (Triangular(low=1.0, mode=2.0, high=5.0), "low", 0.0),
        (Triangular(low=1.0, mode=2.0, high=5.0), "mode", 3.0),
        (Triangular(low=1.0, mode=2.0, high=5.0), "high", 7.0),
        (Empirical(values=(1.0, 4.0)), "values", (2.0, 3.0)),
    ],
    ids=str,
)
def test_one_parameter_is_changed_live_and_counts_from_the_next_draw(
    env, distribution, part, value
) -> None:
    env.registry.update({PATH: distribution})
    before = [env.sample(PATH) for _ in range(3)]
    change = env.registry.update({f"{PATH}.{part}": value})
    assert change.updates[0].old == (
        list(old) if isinstance(old := getattr(distribution, part), tuple) else old
    )
    changed = distribution.model_copy(update={part: value})
    assert env.registry[PATH] == changed
    draw = changed.draws_from(Streams(42).stream(PATH))
    assert [*before, env.sample(PATH)] != [draw() for _ in range(4)]
    assert [env.sample(PATH) for _ in range(3)] == [draw() for _ in range(3)]


@pytest.mark.parametrize(
    ("distribution", "updates", "reason"),
    [
        (Exponential(rate=2.0), {"rate": 0}, "rate: Input should be greater than 0, not 0"),
        (Normal(mean=3.0, std=0.5), {"std": -1}, "std: .* greater than or equal to 0"),
        (TruncatedNormal(mean=3.0, std=0.5, low=0.0), {"high": -1}, "high must not be below low"),
        (TruncatedNormal(mean=3.0, std=0.5, low=0.0), {"low": "-inf"}, "low: .* valid number"),
        (TruncatedNormal(mean=3.0, std=0.5, low=0.0), {"std": None}, "std: .* valid number"),
        (LogNormal(mu=0.5, sigma=0.25), {"sigma": -0.5}, "sigma: .* greater than or equal to 0"),
        (LogNormal(mu=0.5, sigma=0.25), {"mu": 1e3}, "too large for a float"),
        (Gamma(shape=2.5, scale=3.0), {"shape": 0}, "shape: .* greater than 0"),
        (Weibull(shape=1.5, scale=3.0), {"scale": -3}, "scale: .* greater than 0"),
        (Uniform(low=1.0, high=5.0), {"low": 6}, "high must not be below low"),
        (Triangular(low=1.0, mode=2.0, high=5.0), {"mode": 6}, "mode must not be below low"),
        (Triangular(low=1.0, mode=2.0, high=5.0), {"low": 6, "high": 8}, "mode must not be"),
        (Empirical(values=(1.0, 4.0)), {"values": []}, "values: .* at least 1 item"),
    ],
)
def test_a_live_change_beyond_the_bounds_is_refused_and_changes_nothing(
    env, distribution, updates, reason
) -> None:
    env.registry.update({PATH: distribution})
    updates = {f"{PATH}.{part}": value for part, value in updates.items()}
    with pytest.raises(InvalidUpdateError, match=rf"^{PATH}.*{reason}"):
        env.registry.update(updates)
    assert isinstance(env.registry.apply(Command(updates=updates)), Refusal)
    assert env.registry[PATH] == distribution


def test_parameters_that_bound_each_other_are_changed_together(env) -> None:
    env.registry.update({PATH: Triangular(low=1.0, mode=2.0, high=5.0)})
    outcome = env.registry.apply(
        Command.parse(
            '{"updates": {"Line_A.lathe.milling.low": 6, "Line_A.lathe.milling.mode": 7,'
            ' "Line_A.lathe.milling.high": 8}}'
        )
    )
    assert isinstance(outcome, Change)
    assert env.registry[PATH] == Triangular(low=6.0, mode=7.0, high=8.0)


def test_a_parameter_of_the_family_that_was_is_gone(env) -> None:
    env.registry.update({PATH: Weibull(shape=1.5, scale=3.0)})
    env.registry.update({PATH: {"family": "triangular", "low": 1, "mode": 2, "high": 4}})
    with pytest.raises(UnknownPathError, match="shape"):
        env.registry.update({f"{PATH}.shape": 2.0})
