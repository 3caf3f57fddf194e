"""How fast a model runs while its records go to sinks.

`sim_phase_jsonl`, `sim_phase_parquet`: M/M/4 in a run with that sink, to the same model publishing
into a list that is thrown away. `three_sinks`: with three JSONL sinks, to one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from egress_runs import Runs, enough, pairs_wanted
from egress_side import Took
from harness import Figure, Measurement, pairs_of, ratio

__all__ = ["PHASES"]

LIST = ("list", "simpy")
JSONL = ("sinks", "simpy", "jsonl")
PARQUET = ("sinks", "simpy", "parquet")


def sim_phase(
    name: str,
    target: float,
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
    shorter: int,
    is_quick: bool,
) -> Sequence[Figure]:
    """Compare two ways of `egress_side.py`, the second with runs that are shorter by a factor."""
    our_runs, their_runs = Runs(ours), Runs(theirs)
    customers = enough(our_runs, simulating, is_quick=is_quick)

    def speed(runs: Runs, count: int) -> float:
        return count / simulating(runs.run(count))

    pairs = pairs_of(
        partial(speed, our_runs, customers),
        partial(speed, their_runs, customers // shorter),
        pairs_wanted(is_quick=is_quick),
    )
    return [ratio(name, pairs, better="higher", target=target, spilled=our_runs.spilled)]


def simulating(took: Took) -> float:
    return took.simulating_s


PHASES: Mapping[str, Measurement] = {
    "sim_phase_jsonl": partial(sim_phase, "sim_phase_jsonl", 0.85, JSONL, LIST, 4),
    "sim_phase_parquet": partial(sim_phase, "sim_phase_parquet", 0.8, PARQUET, LIST, 4),
    "three_sinks": partial(sim_phase, "three_sinks", 0.9, (*JSONL, "jsonl", "jsonl"), JSONL, 2),
}
