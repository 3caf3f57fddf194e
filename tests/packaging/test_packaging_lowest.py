"""Each package alone, with the lowest versions that it says it works with: what is quick to try.

`make test-lowest` runs the whole suites.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from trials import Dependencies, Trial
from workspace import CORE, PACKAGES, ROOT

# What needs no server and uses the libraries that a package requires.
QUICK = {
    "core": [
        "test_json_conformance.py",
        "test_state_conformance.py",
        "test_announced.py",
        "test_connector_[!j]*.py",
        "test_environment.py",
        "test_plugin*.py",
        "test_public_names.py",
        "test_sampling.py",
        "test_serializer_*.py",
        "test_settings_*.py",
    ],
    "connector-kafka": ["test_kafka_names.py", "test_kafka_packing.py", "test_kafka_settings.py"],
    "connector-parquet": [
        "test_parquet_arrays.py",
        "test_parquet_columns.py",
        "test_parquet_formats.py",
        "test_parquet_settings.py",
    ],
    "connector-redis": ["test_redis_settings.py"],
    "executor-ray": ["test_ray_performing.py", "test_ray_settings.py", "test_ray_thread.py"],
    "connector-sql": ["test_sql_settings.py"],
    "serializer-avro": [
        "test_avro_conformance.py",
        "test_avro_encoder.py",
        "test_avro_schemas.py",
        "test_avro_settings.py",
    ],
}
WITHOUT_SERVERS = "not Confluent and not Glue"
PYTHON = "{}.{}".format(*sys.version_info)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_plugins_are_ready_and_what_is_quick_passes(package, tmp_path):
    trial = Trial(package, CORE, PYTHON, Dependencies.LOWEST)
    python = trial.install(tmp_path)
    command = [python, "-m", "despatch", "plugins", "list", "--json"]
    listed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    own = [row for row in json.loads(listed.stdout) if row["distribution"] == package.name]
    assert sorted((row["kind"], row["name"]) for row in own) == sorted(package.plugins)
    assert {row["status"] for row in own} == {"ready"}
    tests = package.folder / "tests"
    found = [
        str(path.relative_to(ROOT))
        for each in QUICK[package.folder.name]
        for path in tests.glob(each)
    ]
    assert len(found) >= len(QUICK[package.folder.name])
    outcome = trial.run(python, [*found, "-q", "-k", WITHOUT_SERVERS])
    assert (outcome.status, outcome.failed) == (0, 0)
    assert outcome.passed > 20
