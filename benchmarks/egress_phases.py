"""How fast a model runs while its records go to sinks.

`sim_phase_jsonl`, `sim_phase_parquet`: M/M/4 in a run with that sink, to the same model publishing
into a list that is thrown away. `three_sinks`: with three JSONL sinks, to one.

`…_cpu`: the same by the simulator's processor time: what is left where nothing has to wait, neither
for the sinks' work nor for that of other programs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from egress_runs import Runs, enough, pairs_wanted
from harness import Figure, Measurement, Pair, ratio

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
    # On a busy machine the wall time of a short run would make the others too short.
    customers = enough(our_runs, lambda took: took.simulating_cpu_s, is_quick=is_quick)
    wall: list[Pair] = []
    processor: list[Pair] = []
    for _ in range(pairs_wanted(is_quick=is_quick)):
        our, their = our_runs.run(customers), their_runs.run(customers // shorter)
        wall.append((our.records / our.simulating_s, their.records / their.simulating_s))
        processor.append(
            (our.records / our.simulating_cpu_s, their.records / their.simulating_cpu_s)
        )
    return [
        ratio(name, wall, better="higher", target=target, spilled=our_runs.spilled),
        ratio(f"{name}_cpu", processor, better="higher", target=None),
    ]


PHASES: Mapping[str, Measurement] = {
    "sim_phase_jsonl": partial(sim_phase, "sim_phase_jsonl", 0.85, JSONL, LIST, 4),
    "sim_phase_parquet": partial(sim_phase, "sim_phase_parquet", 0.8, PARQUET, LIST, 4),
    "three_sinks": partial(sim_phase, "three_sinks", 0.9, (*JSONL, "jsonl", "jsonl"), JSONL, 3),
}
