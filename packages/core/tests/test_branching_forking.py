from __future__ import annotations

import gc
import os
import random
import signal
import sys

import pytest

from despatch.branching.forking import fork, reap

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def said_by(live):
    """What a copy writes to its pipe, and how it ended."""
    child = fork(live)
    with open(child.fd, "rb") as pipe:
        said = pipe.read()
    return said, reap(child.pid)


def test_a_copy_ends_where_its_work_ends():
    parent = os.getpid()

    def live(fd, made_by):
        assert made_by == parent == os.getppid()
        os.write(fd, str(os.getpid()).encode())

    said, ended = said_by(live)
    assert int(said) != parent == os.getpid()
    assert ended == "ended without a result (exit status 0)"


def test_a_copy_that_fails_says_so_on_standard_error_and_goes_no_further(capfd):
    def live(fd, made_by):
        raise LookupError("no part")

    said, ended = said_by(live)
    assert said == b""
    assert ended == "ended without a result (exit status 70)"
    assert "LookupError: no part" in capfd.readouterr().err


def test_a_copy_whose_reader_has_gone_ends_quietly(capfd):
    def live(fd, made_by):
        raise BrokenPipeError

    assert said_by(live)[1] == "ended without a result (exit status 0)"
    assert capfd.readouterr().err == ""


def test_random_has_the_state_that_it_had():
    random.seed(5)

    def live(fd, made_by):
        os.write(fd, repr(random.random()).encode())

    said, _ = said_by(live)
    assert float(said) == random.random()


def test_a_copy_has_no_handlers_and_no_wakeup_descriptor():
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    before = {number: signal.signal(number, lambda *_: None) for number in HANDLED}
    old_fd = signal.set_wakeup_fd(write_fd)

    def live(fd, made_by):
        handlers = [signal.getsignal(number) for number in HANDLED]
        is_free = handlers == [signal.SIG_DFL] * len(HANDLED) and signal.set_wakeup_fd(-1) == -1
        is_free = is_free and signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
        os.write(fd, str(is_free).encode())

    try:
        assert said_by(live)[0] == b"True"
    finally:
        signal.set_wakeup_fd(old_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(read_fd)
        os.close(write_fd)


def test_no_signal_is_held_back_afterwards():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])

    def live(fd, made_by):
        os.write(fd, str(signal.pthread_sigmask(signal.SIG_BLOCK, []) == before).encode())

    assert said_by(live)[0] == b"True"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_a_copy_has_a_group_of_its_own_or_joins_one():
    def live(fd, made_by):
        child = fork(lambda own, _: os.write(own, str(os.getpgrp()).encode()), os.getpgrp())
        with open(child.fd, "rb") as pipe:
            groups = [os.getpid(), os.getpgrp(), int(pipe.read())]
        reap(child.pid)
        os.write(fd, str(len(set(groups))).encode())

    assert said_by(live)[0] == b"1"


def test_what_was_printed_before_is_printed_once(capfd):
    print("before", end=" ")
    said_by(lambda fd, made_by: print("in the copy", file=sys.stderr))
    print("after")
    captured = capfd.readouterr()
    assert captured.out == "before after\n"
    assert captured.err == "in the copy\n"


def test_a_process_too_many_leaves_no_pipe(monkeypatch):
    gc.collect()  # environments of other tests have descriptors
    before = os.listdir("/proc/self/fd")
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, [])

    def refuse():
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(BlockingIOError):
        fork(lambda fd, made_by: None)
    assert os.listdir("/proc/self/fd") == before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == masked


def test_a_process_that_the_system_has_cleared_away_has_just_ended():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert said_by(lambda fd, made_by: None)[1] == "ended"
    finally:
        signal.signal(signal.SIGCHLD, before)
