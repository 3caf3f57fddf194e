"""The settings of the executor: which Ray, how many workers, and what they find there."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from despatch.durations import PositiveDuration

__all__ = ["AUTO", "CLIENT", "RaySettings", "RuntimeEnv"]

AUTO: Final = "auto"
CLIENT: Final = "ray://"

_HOST_AND_PORT: Final = re.compile(r"(ray://)?(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):[0-9]{1,5}")
_LEAST_STORE_MB: Final = 79  # 75 MiB, below which Ray does not start
_FOR_A_RAY_OF_ITS_OWN: Final = ("object_store_mb",)


class RuntimeEnv(BaseModel):
    """What Ray brings to the workers: Ray's `runtime_env`.

    Source: https://docs.ray.io/en/latest/ray-core/handling-dependencies.html#api-reference

    Attributes:
        working_dir: A folder that is copied to the workers, who find its modules, or the address
            of one that Ray can download. A folder is taken relative to where the program runs.
        excludes: What of the folder is not copied, in the patterns of a `.gitignore`.
        py_modules: Folders of packages, wheels, or addresses, that the workers can import besides.
        pip: Packages that are installed for the workers, or the path of a `requirements.txt`.
        uv: The same with uv.
        env_vars: Environment variables of the workers. Ray shows them to those who may look at
            the cluster.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    working_dir: str | None = None
    excludes: list[str] | None = None
    py_modules: list[str] | None = None
    pip: list[str] | str | None = None
    uv: list[str] | str | None = None
    env_vars: dict[str, SecretStr] | None = None

    def as_ray_takes_it(self) -> dict[str, Any]:
        """What is set, with the secrets in it."""
        said = self.model_dump(exclude_none=True)
        if self.env_vars is not None:
            said["env_vars"] = {
                name: value.get_secret_value() for name, value in self.env_vars.items()
            }
        return said


class RaySettings(BaseModel):
    """Settings of the executor `ray`.

    Attributes:
        address: Where the cluster is: ``host:port`` of its head, from a machine of the cluster;
            ``ray://host:port`` of its Ray Client server, from any other; ``auto`` for the one
            that ``RAY_ADDRESS`` says or that this machine is a node of. Without it, a Ray is
            started on this machine, and ended with the work.
        workers: How many tasks are performed at once; by default as many as the CPUs are enough
            for, of this machine or of the cluster as it is when it is joined.
        num_cpus: How many CPUs Ray reserves for a task.
        namespace: The namespace of the job, in which a model finds named actors.
        runtime_env: What Ray brings to the workers: folders, packages, environment variables.
        object_store_mb: Of a Ray that is started here: how much shared memory it takes for what
            goes to and fro, in megabytes.
        connect_timeout: How long starting Ray or joining the cluster may take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    address: str | None = None
    workers: Annotated[int, Field(ge=1, strict=True)] | None = None
    num_cpus: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    namespace: Annotated[str, Field(min_length=1)] | None = None
    runtime_env: RuntimeEnv = RuntimeEnv()
    object_store_mb: Annotated[int, Field(ge=_LEAST_STORE_MB)] = 80
    connect_timeout: PositiveDuration = timedelta(seconds=60)

    @field_validator("address")
    @classmethod
    def _can_be_reached(cls, address: str | None) -> str | None:
        if address in (None, AUTO) or _HOST_AND_PORT.fullmatch(str(address)):
            return address
        raise ValueError("expected host:port, ray://host:port, or auto; without it Ray runs here")

    @model_validator(mode="after")
    def _is_for_one_ray(self) -> RaySettings:
        for name in _FOR_A_RAY_OF_ITS_OWN:
            if self.address is not None and name in self.model_fields_set:
                raise ValueError(
                    f"{name}: a cluster has its own; leave it out, or leave out `address`"
                )
        return self
