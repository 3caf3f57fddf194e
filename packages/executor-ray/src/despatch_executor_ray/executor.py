"""Performs tasks on Ray."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Any, Final

import ray
from pydantic import BaseModel

from despatch.cpus import usable_cpus
from despatch.interfaces import Executor, Health, Task
from despatch_executor_ray.call import Call
from despatch_executor_ray.performing import performer
from despatch_executor_ray.ray_thread import RAY_THREAD
from despatch_executor_ray.reaching import reach
from despatch_executor_ray.session import Membership
from despatch_executor_ray.settings import RaySettings

__all__ = ["RayExecutor"]

_HASH_SEED: Final = "PYTHONHASHSEED"
_NOT_OPEN: Final = "the executor is not open"


class RayExecutor(Executor):
    """Performs tasks on Ray: on a cluster, or in processes of this machine.

    Ray is started or joined once by a process. So executors with the same settings share it, and
    where the program itself has called ``ray.init``, that Ray is used and not ended. A worker
    needs despatch and the model's modules, in the same versions as here; of this package it needs
    nothing. A task that is given up ends, with its process. What a task prints goes to standard
    error, when it has been performed.
    """

    Settings = RaySettings
    settings: RaySettings

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._membership: Membership | None = None
        self._function: Any = None
        self._workers = 0
        self._cpus = 0.0
        self._calls: set[Call] = set()

    @property
    def workers(self) -> int:
        """How many tasks are performed at once; 0 where it is not open and not set."""
        return self._workers or self.settings.workers or 0

    async def open(self) -> None:
        """Start Ray, or join the cluster.

        Raises:
            ConnectionError: Nobody is there.
            TimeoutError: It takes longer than `connect_timeout`.
            RuntimeError: The process is in another Ray, or the cluster has no CPU for a task.
            Exception: Ray's own.
        """
        timeout_s = self.settings.connect_timeout.total_seconds()
        address = self.settings.address
        membership = Membership(self.settings, self.settings.workers or usable_cpus())
        try:
            async with asyncio.timeout(timeout_s):
                if address is not None:
                    await reach(address)
                await RAY_THREAD.call(membership.join)
                await RAY_THREAD.call(self._look)
        except BaseException as error:
            # Once Ray comes back from what it is at, the session ends.
            RAY_THREAD.post(membership.leave)
            if isinstance(error, TimeoutError):
                what = "has not started" if address is None else f"at {address} has not answered"
                raise TimeoutError(f"Ray {what} within {timeout_s:g} s") from error
            raise
        self._membership = membership

    async def run(self, task: Task) -> bytes:
        """Have Ray perform a task.

        Raises:
            ConnectionError: The executor is not open, or no longer.
            Exception: Ray's own: the worker, or the machine that it was on, was lost.
        """
        if self._membership is None:
            raise ConnectionError(_NOT_OPEN)
        # Where modules are found here, they are looked for there too.
        submit = partial(self._function.remote, task.function, task.payload, [*sys.path])
        call = Call(submit)
        self._calls.add(call)
        RAY_THREAD.post(call.begin)
        try:
            answer, said = await call.answer
        except asyncio.CancelledError:
            RAY_THREAD.post(call.give_up)
            raise
        finally:
            self._calls.discard(call)
        sys.stderr.write(said.decode())
        return answer

    async def close(self) -> None:
        """End the tasks that are under way, and Ray where it was started here."""
        membership, self._membership = self._membership, None
        self._workers = 0
        if membership is None:
            return
        for call in self._calls:
            call.fail(ConnectionAbortedError(_NOT_OPEN))
            RAY_THREAD.post(call.give_up)
        await RAY_THREAD.call(membership.leave)

    async def check(self) -> Health:
        """Start Ray or join the cluster, and leave it again."""
        try:
            await self.open()
            workers, cpus = self.workers, self._cpus
        finally:
            await self.close()
        where = "on this machine" if self.settings.address is None else "in the cluster"
        warnings = []
        if workers * self.settings.num_cpus > cpus:
            warnings.append(f"{workers} workers need more than the {cpus:g} CPUs {where}")
        finding = f"Ray {ray.__version__}, {cpus:g} CPUs {where}: {workers} workers"
        return Health([finding], warnings)

    def _look(self) -> None:
        """See how many CPUs there are. Called on the thread that talks to Ray."""
        per_task = self.settings.num_cpus
        self._cpus = float(ray.cluster_resources().get("CPU", 0.0))
        self._workers = self.settings.workers or int(self._cpus // per_task)
        if not self._workers:
            raise RuntimeError(
                f"the cluster has {self._cpus:g} CPUs, and a task takes {per_task:g}: start "
                "machines, or set `workers` where it starts them itself"
            )
        chosen = self.settings.runtime_env.as_ray_takes_it().get("env_vars", {})
        self._function = ray.remote(
            num_cpus=per_task,
            max_retries=0,
            # The order of a set is the same in every worker, unless the user wants it otherwise.
            runtime_env={"env_vars": {_HASH_SEED: chosen.get(_HASH_SEED, "0")}},
        )(performer())
