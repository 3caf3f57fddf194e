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
