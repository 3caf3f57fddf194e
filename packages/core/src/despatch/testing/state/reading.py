"""Reading: a snapshot says what the system is like now, exactly, and as a whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import chain, count, repeat
from typing import Any, Final

from despatch.interfaces import StateSource
from despatch.settings.file import settings_from
from despatch.snapshots import Snapshot
from despatch.state_reading.reading import read_state
from despatch.testing.conformance import applies_if
from despatch.testing.proxy import Proxy
from despatch.testing.state.suite import MakeState, StateSuite
from despatch.testing.state.system import RealSystem

__all__ = ["ReadingTests"]

_PLAIN: Final = {"Line_A.lathe.capacity": 3, "Line_A.speed": 0.25, "Line_A.is_open": True}
_CHANGED: Final = {"Line_A.lathe.capacity": 2, "Line_A.speed": 0.25, "Line_B.staff": 1}
_EXACT: Final = {
    "Line_A.text": "größer\tals 'drei' \"Löffel\" \\ 日本語 🏭\nzweite Zeile ",
    "Line_A.blank": "",
    "Straße_7.Prüfer": "ß",
    "Line_A.whole": 2**53 + 1,
    "Line_A.negative": -(2**62),
    "Line_A.third": 0.1 + 0.2,
    "Line_A.small": 5e-300,
    "Line_A.is_shut": False,
}
_NESTED: Final = {
    "Line_A.lathe.milling": {"family": "normal", "mean": 3.0, "std": 0.5},
    "Line_A.sizes": [1.5, [2, "x", None], {}, []],
}
_PATHS: Final = 2_000
_LONG_TEXT: Final = 100_000


class ReadingTests(StateSuite):
    """A snapshot says what the system is like now, exactly, and as a whole or not at all."""

    def test_the_state_is_read(self, system: RealSystem, make_state: MakeState) -> None:
        """A snapshot has the values of the system, each at its path, and nothing else.

        If it fails: compare what `RealSystem.be` wrote with what your client library gave, and
        with the paths that you made of it.
        """
        now = self.state_of(parameters=_PLAIN)
        system.be(now)
        assert self.told(self.read(make_state())) == self.told_of(system, now)

    def test_a_second_reading_sees_what_has_changed(
        self, system: RealSystem, make_state: MakeState
    ) -> None:
        """Of a source that stays open each reading is new: values change, come and go.

        If it fails: `read` gives what an earlier call, or `open`, has kept; or it reads in a
        transaction that began before. Ask the system anew in each `read`.
        """
        before, after = (self.state_of(parameters=values) for values in (_PLAIN, _CHANGED))
        system.be(before)

        async def work() -> tuple[Snapshot, Snapshot]:
            async with self.opened(make_state()) as state:
                first = await self.in_time(state.read())
                system.be(after)
                return first, await self.in_time(state.read())

        first, second = self.wait_for(work())
        assert self.told(first) == self.told_of(system, before)
        assert self.told(second) == self.told_of(system, after)
        assert second.taken_at >= first.taken_at, "the second state is older than the first"

    @applies_if("may_be_empty")
    def test_an_empty_system_has_an_empty_state(
        self, system: RealSystem, make_state: MakeState
    ) -> None:
        """A system that is there and has nothing in it is no error, and no state of another's.

        If it fails: tell "nothing there" from "not there": the one is a snapshot without
        parameters, the other an exception.
        """
        now = self.state_of()
        system.be(now)
        assert self.told(self.read(make_state())) == self.told(now)

    def test_values_are_exact(self, system: RealSystem, make_state: MakeState) -> None:
        """Texts come with every character, whole numbers with every digit, floats with every bit.

        If it fails: the difference shows which value. Read text as UTF-8, strip nothing, and make
        no float of a whole number nor a text of a float with fewer than 17 digits.
        """
        now = self.state_of(parameters=_EXACT)
        system.be(now)
        found, wanted = self.read(make_state()).parameters, system.as_read(now).parameters
        assert found == wanted
        assert {path: type(value) for path, value in found.items()} == {
            path: type(value) for path, value in wanted.items()
        }

    @applies_if("holds_nested")
    def test_nested_values_keep_their_form(self, system: RealSystem, make_state: MakeState) -> None:
        """Lists and mappings are values too; a distribution is one.

        If it fails: keep such values as JSON, and decode them on the way out.
        """
        now = self.state_of(parameters=_NESTED)
        system.be(now)
        assert self.told(self.read(make_state())) == self.told_of(system, now)

    def test_a_big_state_is_whole(self, system: RealSystem, make_state: MakeState) -> None:
        """Two thousand paths and a text of 100,000 characters all come.

        If it fails: look for the page size of a cursor or a scan, and read all pages.
        """
        big: dict[str, Any] = {f"Line_{i}.staff": i for i in range(_PATHS)}
        big["Line_A.text"] = "ä" * _LONG_TEXT
        now = self.state_of(parameters=big)
        system.be(now)
        found = self.read(make_state())
        assert len(found.parameters) == len(big)
        assert self.told(found) == self.told_of(system, now)

    def test_the_time_of_the_state_has_an_offset(
        self, system: RealSystem, make_state: MakeState
    ) -> None:
        """The snapshot is a valid document, whose `taken_at` means one instant everywhere.

        If it fails: make it by ``Snapshot(...)``, which validates, and never by
        `model_construct`; and give `taken_at` an offset, as ``datetime.now(UTC)`` has.
        """
        system.be(self.state_of(parameters=_PLAIN))
        snapshot = self.read(make_state())
        assert isinstance(snapshot, Snapshot)
        assert snapshot.taken_at.utcoffset() is not None, "`taken_at` has no offset"
        assert Snapshot.model_validate_json(snapshot.model_dump_json()) == snapshot

    def test_half_a_state_is_none(
        self, system: RealSystem, make_far_state: MakeState, proxy: Proxy
    ) -> None:
        """Where the reading breaks off, it raises: the model never gets a part of the state.

        Over a network, the connection is reset after 0, 1, 2, 4 ... bytes of the source's, until
        one reading gets through, and then in the same way after so many of the system's.

        If it fails: an exception is caught in `open` or `read`, and what had come by then is given
        as the whole. Let it pass.
        """
        now = self.state_of(
            parameters={f"Line_{i}.staff": i for i in range(200)},
            resources={"Line_A.lathe": {"queue": [{"key": f"part-{i}"} for i in range(100)]}},
        )
        system.be(now)
        wanted = self.told_of(system, now)
        if self.is_networked:
            for answers in (False, True):
                found, limits = None, chain([0], (1 << exponent for exponent in count()))
                while found is None:
                    with proxy.resetting(partial(next, repeat(next(limits))), answers=answers):
                        found = self._told_or_none(make_far_state())
                assert found == wanted, "a part of the state came, and no error"
        else:
            with system.damaged():
                found = self._told_or_none(make_far_state())
            assert found is None, "the state was damaged, and no error came"
        assert self.told(self.read(make_far_state())) == wanted

    def _told_or_none(self, state: StateSource) -> Mapping[str, Any] | None:
        """What a reading says; None where it raised."""
        try:
            return self.told(self.read(state))
        except AssertionError:  # it hung
            raise
        except Exception:
            return None

    def test_a_run_begins_with_the_state(
        self, system: RealSystem, settings: Mapping[str, Any]
    ) -> None:
        """A run reads the state in a process of its own, which gets nothing but the settings.

        If it fails: the message is what an operator would see. What the source needs has to be in
        its settings or its environment; nothing of this process is there.
        """
        now = self.state_of(parameters=_PLAIN)
        system.be(now)
        state = {"source": self.plugin, "timeout": self.patience_s, **settings}
        reading = read_state(settings_from({"state": state}))
        assert reading is not None
        assert self.told(reading.snapshot) == self.told_of(system, now)
