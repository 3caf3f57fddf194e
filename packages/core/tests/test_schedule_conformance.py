from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from despatch.testing import CommandSource, IngressConformance


class Timetable(CommandSource):
    """The settings themselves: what is sent is there at the next start."""

    def __init__(self) -> None:
        self._commands: list[dict[str, Any]] = []

    def settings(self, port: int) -> Mapping[str, Any]:
        return {"commands": list(self._commands)}

    def send(self, message: bytes) -> None:
        self._commands.append({"at": 0, **json.loads(message)})


class TestSchedule(IngressConformance):
    plugin = "schedule"
    is_networked = False
    is_live = False
    carries_messages = False
    acknowledges = False

    @pytest.fixture
    def source(self) -> CommandSource:
        return Timetable()
