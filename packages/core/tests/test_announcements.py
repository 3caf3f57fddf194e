from __future__ import annotations

import simpy

from despatch.registry.announcements import Announcer


def announcer(values):
    return Announcer(simpy.Environment(), values, values.__getitem__)


def test_a_path_has_one_signal_and_a_pattern_one_watch() -> None:
    those = announcer({"A.b": 1})
    assert those.signal("A.b") is those.signal("A.b")
    assert those.watch("A.*") is those.watch("A.*")
    assert those.watch("A.*").values == {"A.b": 1}
    assert those.signal("A.b").value == 1


def test_each_change_is_told_by_its_signal_and_then_by_watches_as_they_were_made() -> None:
    told = []
    those = announcer({})
    those.watch("A.*").subscribe(lambda path, value: told.append(("A.*", path, value)))
    those.watch("*").subscribe(lambda path, value: told.append(("*", path, value)))
    those.signal("A.b").subscribe(lambda value: told.append(("signal", value)))
    those.announce([("A.b", 1), ("B.b", 2)])
    assert told == [("signal", 1), ("A.*", "A.b", 1), ("*", "A.b", 1), ("*", "B.b", 2)]


def test_what_a_callback_announces_is_told_after_what_it_was_told_in() -> None:
    told = []
    those = announcer({})

    def again(value):
        if value == 1:
            those.announce([("A.b", 3)])

    those.signal("A.b").subscribe(again)
    those.watch("*").subscribe(lambda path, value: told.append(value))
    those.announce([("A.b", 1), ("A.c", 2)])
    assert told == [1, 2, 3]
