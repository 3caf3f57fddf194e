"""One side of a comparison of kernels, in a rival's environment; prints how fast as JSON.

    rival_kernel_side.py simpy|desflow|dynamic_des MODEL SIZE

Their environments run at factor 0, without ingress or egress.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import simpy
from kernel_models import Library
from kernel_side import SimPy, measure


class Rival:
    """A rival's resource with a path in its registry for a capacity; both have the same API."""

    def __init__(self, package: ModuleType, parameters: ModuleType) -> None:
        self._package = package
        self._parameters = parameters

    def environment(self) -> simpy.Environment:
        env: simpy.Environment = self._package.DynamicRealtimeEnvironment(factor=0.0)
        return env

    def make(self, kind: str, env: Any, capacity: int) -> Any:
        places = self._parameters.CapacityConfig(current_cap=capacity, max_cap=capacity)
        bench = self._parameters.SimParameter(sim_id="Bench", resources={"places": places})
        env.registry.register_sim_parameter(bench)
        return getattr(self._package, f"Dynamic{kind}")(env, "Bench", "places")


def desflow() -> Rival:
    import desflow
    from desflow.models import params

    return Rival(desflow, params)


def dynamic_des() -> Rival:
    import dynamic_des
    from dynamic_des.models import params

    return Rival(dynamic_des, params)


def main(side: str, model: str, size: int) -> None:
    logging.disable(logging.WARNING)
    libraries: dict[str, Callable[[], Library]] = {
        "simpy": SimPy,
        "desflow": desflow,
        "dynamic_des": dynamic_des,
    }
    print(json.dumps(measure(libraries[side](), model, size)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
