"""What publishing costs, how fast records reach a sink, how soon despatch starts and ends.

`publish_cost`, `publish_cost_model`: what publishing costs the simulation, to appending a tuple
to a list (`egress_publishing.py`).

`sim_phase_jsonl`, `sim_phase_parquet`, `three_sinks`: how fast a model runs while its records go
to sinks (`egress_phases.py`).

`end_to_end_jsonl_vs_desflow`, `end_to_end_parquet_vs_desflow`, `end_to_end_jsonl_vs_raw`,
`end_to_end_redis`: how fast records reach a sink (`egress_end_to_end.py`). The last needs
`redis-server` on the path, and `tests` on the PYTHONPATH for the module that starts it.

`startup_cli`, `startup_import`, `exit_s`: how soon despatch is there, and how soon it is gone
(`egress_starting.py`).

Every record is read back and counted, ours with its `sink_seq`.
"""

from __future__ import annotations

from collections.abc import Mapping

from egress_end_to_end import END_TO_END
from egress_phases import PHASES
from egress_publishing import PUBLISHING
from egress_starting import STARTING
from harness import Measurement, main

MEASUREMENTS: Mapping[str, Measurement] = {**PUBLISHING, **PHASES, **END_TO_END, **STARTING}


def run_all() -> None:
    main(__doc__ or "", MEASUREMENTS, ["msgspec", "pyarrow", "desflow", "orjson", "redis"])


if __name__ == "__main__":
    run_all()
