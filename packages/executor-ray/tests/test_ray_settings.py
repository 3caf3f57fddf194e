from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from despatch_executor_ray import RaySettings, RuntimeEnv


@pytest.mark.parametrize(
    "address",
    [None, "auto", "head:6379", "10.0.0.1:6379", "[::1]:6379", "ray://head.example.org:10001"],
)
def test_an_address_is_one_that_ray_takes(address):
    assert RaySettings(address=address).address == address


@pytest.mark.parametrize(
    "address", ["", "head", "local", "http://head:6379", "ray://head", "ray://me:pw@head:1", "a:b"]
)
def test_another_address_is_refused_with_what_is_expected(address):
    with pytest.raises(ValidationError, match="expected host:port, ray://host:port, or auto"):
        RaySettings(address=address)


def test_what_a_cluster_has_of_its_own_is_not_set_here():
    assert RaySettings(object_store_mb=100).object_store_mb == 100
    with pytest.raises(ValidationError, match="object_store_mb: a cluster has its own"):
        RaySettings(address="auto", object_store_mb=100)


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"workers": True},
        {"num_cpus": 0},
        {"num_cpus": float("inf")},
        {"namespace": ""},
        {"object_store_mb": 78},
        {"connect_timeout": "0s"},
        {"runtime_env": {"workdir": "."}},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        RaySettings.model_validate(wrong)


def test_a_runtime_env_is_what_was_set_and_no_more():
    assert RuntimeEnv().as_ray_takes_it() == {}
    said = {
        "working_dir": "models",
        "excludes": ["*.csv"],
        "py_modules": ["lib/plant"],
        "pip": ["scipy"],
        "env_vars": {"TOKEN": "hunter2"},
    }
    assert RuntimeEnv.model_validate(said).as_ray_takes_it() == said


def test_environment_variables_are_not_shown():
    settings = RaySettings(runtime_env=RuntimeEnv(env_vars={"TOKEN": SecretStr("hunter2")}))
    assert "hunter2" not in f"{settings!r}{settings.model_dump_json()}"
