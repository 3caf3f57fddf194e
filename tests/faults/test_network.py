"""Networks that fail between a connector and its server."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import pytest

from despatch.testing.proxy import Proxy
from faults.checks import check_run
from faults.playing import Play
from faults.servers import Stand, Stands
from processes import wait_until

PHASE = 240
SEED = 5

KINDS = ["lines", "redis", "kafka", "s3"]


class Felt(NamedTuple):
    """What can be seen of a fault from outside, counted."""

    struck: int
    given_up: int
    retries: int

    @classmethod
    def now(cls, stand: Stand, play: Play | None = None) -> Felt:
        retries = 0 if play is None else play.cursor(stand.sink).retries
        return cls(stand.proxy.struck, stand.proxy.given_up, retries)


class Fault(NamedTuple):
    """A fault, and how to know that it has been felt since `before`."""

    make: Callable[[Proxy], AbstractContextManager[None]]
    is_felt: Callable[[Play, Stand, Felt], bool]


def _is_retrying(play: Play, stand: Stand, before: Felt) -> bool:
    return play.state(stand.sink) == "retrying"


def _is_given_up(play: Play, stand: Stand, before: Felt) -> bool:
    """The client has closed the connection, or the core no longer waits for it."""
    now = Felt.now(stand, play)
    return now.given_up > before.given_up or now.retries > before.retries


def _has_struck(play: Play, stand: Stand, before: Felt) -> bool:
    return stand.proxy.struck >= before.struck + 2


def _resetting(proxy: Proxy) -> AbstractContextManager[None]:
    rng = random.Random(SEED)
    return proxy.resetting(after=lambda: rng.randrange(6000))


FAULTS = {
    "refusing": Fault(Proxy.refusing, _is_retrying),
    "stalling": Fault(Proxy.stalling, _is_given_up),
    "half open": Fault(Proxy.half_open, _is_given_up),
    "deaf": Fault(Proxy.deaf, _is_given_up),
    "slow": Fault(lambda proxy: proxy.slow(bytes_per_s=100_000), _has_struck),
    "resetting": Fault(_resetting, _has_struck),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_sink_that_is_cut_off_at_the_start_in_the_middle_and_at_the_end_gets_everything(
    stands: Stands, tmp_path, kind, fault
):
    stand, (make, is_felt) = stands.of(kind), FAULTS[fault]
    play = Play(tmp_path, [stand.sink])

    def publish(before: Felt) -> None:
        play.publish(PHASE)
        wait_until(lambda: is_felt(play, stand, before), "an effect of the fault")

    before = Felt.now(stand)
    with make(stand.proxy):
        play.__enter__()
        publish(before)
    play.wait_delivered()
    with make(stand.proxy):
        publish(Felt.now(stand, play))
    play.wait_delivered()
    with play.leaving(make(stand.proxy)):
        publish(Felt.now(stand, play))
    assert play.report.exit_status == 0
    assert play.report.published == 3 * PHASE
    check_run(play.folder, [stand.sink])
