from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import threading
import time

import pytest

from despatch.doorbell import Doorbell


@pytest.fixture
def doorbell():
    bell = Doorbell()
    yield bell
    bell.close()


def test_nobody_rings_at_first(doorbell):
    assert not doorbell.is_rung
    assert doorbell.wait(0.0) is False


def test_a_ring_is_heard_until_it_is_answered(doorbell):
    doorbell.ring()
    assert doorbell.is_rung
    assert doorbell.wait(None)
    doorbell.answer()
    assert not doorbell.is_rung


def test_another_thread_ends_the_sleep(doorbell):
    thread = threading.Thread(target=doorbell.ring)
    thread.start()
    assert doorbell.wait(30.0)
    thread.join()


def test_a_watched_descriptor_rings_until_it_is_read(doorbell):
    ours, theirs = socket.socketpair()
    doorbell.watch(ours.fileno())
    theirs.send(b"x")
    doorbell.answer()
    assert doorbell.is_rung
    ours.recv(1)
    assert not doorbell.is_rung
    doorbell.unwatch(ours.fileno())
    theirs.send(b"x")
    assert not doorbell.is_rung
    ours.close()
    theirs.close()


def test_a_signal_ends_the_sleep(doorbell):
    old_handler = signal.signal(signal.SIGUSR1, lambda *_: None)
    old_fd = signal.set_wakeup_fd(doorbell.wakeup_fd)
    try:
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert doorbell.wait(30.0)
    finally:
        signal.set_wakeup_fd(old_fd)
        signal.signal(signal.SIGUSR1, old_handler)


def test_a_doorbell_that_nobody_needs_any_more_leaves_no_descriptor():
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(50):
        Doorbell().ring()
    gc.collect()
    # What other tests left may be closed in the meantime.
    assert set(os.listdir("/proc/self/fd")) <= before


def test_any_number_of_unanswered_rings_is_no_error(doorbell):
    for _ in range(200_000):
        doorbell.ring()
    assert doorbell.is_rung
    doorbell.answer()
    assert not doorbell.is_rung


def test_a_closed_doorbell_rings_no_more_and_writes_to_nobody_elses_descriptor():
    doorbell = Doorbell()
    fd = doorbell.wakeup_fd
    ours, theirs = socket.socketpair()
    assert not doorbell.is_closed
    doorbell.close()
    doorbell.close()
    assert doorbell.is_closed
    kept = os.dup2(ours.fileno(), fd)
    try:
        doorbell.ring()
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)
    finally:
        os.close(kept)
        ours.close()
        theirs.close()


def test_a_handler_may_ring_while_its_thread_rings(doorbell):
    """As when a signal comes in the middle of `ring`, which holds the lock."""
    with doorbell._lock:
        doorbell.ring()
    assert doorbell.is_rung


@pytest.fixture
def high_doorbell():
    """A doorbell whose descriptors are beyond those that select(2) knows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip("this machine allows no 4096 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    fds = [os.open(os.devnull, os.O_RDONLY)]
    while fds[-1] < 1024:
        fds.append(os.dup(fds[0]))
    bell = Doorbell()
    yield bell
    bell.close()
    for fd in fds:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_among_very_many_descriptors_it_sleeps_as_long(high_doorbell):
    began = time.monotonic()
    assert high_doorbell.wait(0.0105) is False
    assert time.monotonic() - began >= 0.0105


@pytest.mark.parametrize("timeout_s", [None, 30.0])
def test_among_very_many_descriptors_it_wakes_too(high_doorbell, timeout_s):
    threading.Timer(0.01, high_doorbell.ring).start()
    assert high_doorbell.wait(timeout_s)
