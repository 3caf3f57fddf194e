"""A paced model that writes down when its last event was, into the working directory."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import simpy

from despatch import DynamicEnvironment

__all__ = ["EVENTS_PER_S", "build"]

EVENTS_PER_S = 100


def build(env: DynamicEnvironment) -> None:
    """Publish for as many seconds as the environment variable EGRESS_EXIT_S says."""
    env.process(ticking(env, round(float(os.environ["EGRESS_EXIT_S"]) * EVENTS_PER_S)))


def ticking(env: DynamicEnvironment, events: int) -> Generator[simpy.Event, Any, None]:
    for number in range(events):
        yield env.timeout(1 / EVENTS_PER_S)
        env.publish_event("tick", {"number": number})
    Path("last_event").write_text(str(time.time_ns()))
