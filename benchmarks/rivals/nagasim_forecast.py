"""nagasim's forecast of the desk; what a replication takes, as JSON.

    nagasim_forecast.py REPLICATIONS WORKERS

What a forecast takes that has nothing to do with how many replications there are, such as the
start of its workers, is left out: it is the difference of a long one and a short one.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from forecast_desk import ARRIVAL_RATE, HORIZON_S, POINTS, SERVERS, SERVICE_RATE
from nagasim import build
from nagasim.forecast import ForecastResult, forecast


def desk() -> dict[str, Any]:
    model = build.Model(time_limit=HORIZON_S, warmup=0)
    model.add_resource(name="Desk", capacity=SERVERS)
    arrive = model.create(distribution=build.Exponential(rate=ARRIVAL_RATE))
    serve = model.process(resource_name="Desk", distribution=build.Exponential(rate=SERVICE_RATE))
    arrive >> serve >> model.dispose()
    layout: dict[str, Any] = model.to_dict()
    layout["simulation"]["timeseries_interval"] = HORIZON_S / POINTS
    return layout


def timed(replications: int, workers: int) -> tuple[float, ForecastResult]:
    began = time.perf_counter()
    found = forecast(desk(), horizon=HORIZON_S, replications=replications, seed=1, workers=workers)
    return time.perf_counter() - began, found


def main(replications: int, workers: int) -> None:
    short_s, _ = timed(workers, workers)
    long_s, found = timed(workers + replications, workers)
    print(
        json.dumps(
            {
                "wall_s": (long_s - short_s) / replications,
                "busy": float(found.band("resource/Desk/in_service")["Mean"].mean()),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
