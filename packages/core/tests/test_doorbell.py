from __future__ import annotations

import gc
import os
import signal
import socket
import threading

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
    gc.collect()  # what others left
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        Doorbell().ring()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_any_number_of_unanswered_rings_is_no_error(doorbell):
    for _ in range(200_000):
        doorbell.ring()
    assert doorbell.is_rung
    doorbell.answer()
    assert not doorbell.is_rung
