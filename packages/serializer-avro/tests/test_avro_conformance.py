"""The serializer in each of its frames, with each of its registries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from despatch.testing import SerializerConformance


class Avro(SerializerConformance):
    plugin = "avro"
    keeps_types = True


class TestSingleObject(Avro):
    pass


class TestFolderOfSchemas(Avro):
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"schemas": str(tmp_path / "schemas")}


class TestConfluent(Avro):
    @pytest.fixture
    def settings(self, schema_registry_url: str) -> Mapping[str, Any]:
        return {"registry": {"url": schema_registry_url}}

    @pytest.fixture
    def secret_settings(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        login = {"username": "someone", "password": "a-password"}
        return {"registry": {**settings["registry"], **login}}


class TestGlue(Avro):
    @pytest.fixture
    def settings(self, glue_url: str) -> Mapping[str, Any]:
        return {"glue": {"endpoint_url": glue_url, "region": "eu-central-1"}}

    @pytest.fixture
    def secret_settings(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        keys = {"access_key_id": "an-access-key", "secret_access_key": "a-secret-key"}
        return {"glue": {**settings["glue"], **keys, "session_token": "a-session-token"}}
