from __future__ import annotations

from typing import ClassVar

from despatch.testing import SerializerConformance


class TestJson(SerializerConformance):
    plugin = "json"
    waivers: ClassVar = {
        "test_a_set_has_an_order_of_its_own": (
            "a set is written in Python's order; to find sets takes a walk through every value"
        ),
    }
