"""Ray for despatch: an executor whose workers are those of a Ray here, or of a cluster."""

from despatch_executor_ray.executor import RayExecutor
from despatch_executor_ray.settings import RaySettings, RuntimeEnv

__all__ = ["RayExecutor", "RaySettings", "RuntimeEnv"]
