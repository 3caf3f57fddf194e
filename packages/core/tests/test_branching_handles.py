from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import textwrap

import pytest
import simpy

from despatch import Branch, BranchError, DynamicEnvironment

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def env():
    return DynamicEnvironment(seed=7)


def now(env):
    return env.now


def ticking(env):
    while True:
        yield env.timeout(1)


def endless(env):
    while True:
        yield env.timeout(0)


def never(env):
    """A branch that does not end by itself."""
    env.process(endless(env))


def is_there(pid):
    """Whether there is such a process, one that has ended and was not cleared away included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def has_descriptors():
    return len(os.listdir("/proc/self/fd"))


def open_files():
    """What the descriptors of this process lead to."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one by which the folder was read
            found.add(os.fstat(int(name)).st_ino)
    return found


def wait_for(condition):
    while not condition():
        os.sched_yield()


class Part:
    """A class of the user's own."""

    def __init__(self, number):
        self.number = number


def test_a_result_is_an_object_of_the_users_own(env):
    branch = env.branch(until=None, collect=lambda env: {"parts": [Part(3)]})
    (part,) = branch.result()["parts"]
    assert type(part) is Part
    assert part.number == 3


def test_a_large_result_comes_whole(env):
    size = 40 * 1024 * 1024
    branch = env.branch(until=None, collect=lambda env: bytes(size))
    assert len(branch.result()) == size


def test_a_large_result_comes_while_the_run_goes_on(env):
    made = []

    def planning():
        yield env.timeout(1)
        made.append(env.branch(until=None, collect=lambda env: bytes(3_000_000)))
        # Nobody asks: the run itself takes in what comes.
        while made[0]._incoming is not None:
            yield env.timeout(1)

    env.run(until=env.process(planning()))
    assert len(made[0].result()) == 3_000_000


def test_a_result_that_cannot_be_pickled_says_which(env):
    branch = env.branch(until=None, collect=lambda env: env.process(ticking(env)))
    with pytest.raises(BranchError, match="collect: expected to return what can be pickled"):
        branch.result()


class Unreadable:
    def __reduce__(self):
        return int, ("no number",)


def test_a_result_that_cannot_be_read_says_so(env):
    branch = env.branch(until=None, collect=lambda env: Unreadable())
    with pytest.raises(BranchError, match="has a result that cannot be read: invalid literal"):
        branch.result()


@pytest.mark.parametrize("fault", [LookupError("no part"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_branch_raises_is_told_with_its_traceback(env, fault):
    def failing():
        yield env.timeout(3)
        raise fault

    env.process(failing())
    branch = env.branch(until=10)
    with pytest.raises(BranchError, match=rf"(?s)raised\n.*in failing.*{type(fault).__name__}"):
        branch.result()
    # It is the same each time that one asks.
    with pytest.raises(BranchError, match="in failing"):
        branch.result()


def test_what_a_branch_raises_comes_to_the_process_that_waits(env):
    def fail(env):
        raise LookupError("no part")

    def planning():
        with pytest.raises(BranchError, match="no part"):
            yield env.branch(until=3, collect=fail)
        return env.now

    assert env.run(until=env.process(planning())) == 0


def test_what_a_branch_raises_ends_the_run_where_nobody_catches_it(env):
    def fail(env):
        raise LookupError("no part")

    def planning():
        yield env.branch(until=3, collect=fail)

    env.process(planning())
    with pytest.raises(BranchError, match="no part"):
        env.run()


def test_a_branch_that_fails_while_nobody_waits_is_logged_and_ends_no_run(env, caplog):
    def fail(env):
        raise LookupError("no part")

    made = []

    def planning():
        made.append(env.branch(until=3, collect=fail))
        yield env.timeout(1)
        while made[0]._incoming is not None:
            yield env.timeout(1)

    env.run(until=env.process(planning()))
    env.process(ticking(env))
    env.branch(until="1s").result()
    env.run(until="1000s")
    assert caplog.text.count("LookupError: no part") == 1
    with pytest.raises(BranchError):
        made[0].result()


def test_a_branch_that_is_killed_names_the_signal(env):
    branch = env.branch(until=None, collect=lambda env: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(BranchError, match=r"^the branch was killed \(SIGKILL\)$"):
        branch.result()


def test_a_branch_that_leaves_without_a_word_names_its_exit_status(env):
    branch = env.branch(until=None, collect=lambda env: os._exit(9))
    with pytest.raises(BranchError, match=r"ended without a result \(exit status 9\)$"):
        branch.result()


def test_a_branch_that_takes_too_long_is_ended(env):
    branch = env.branch(until=None, prepare=never, timeout="20ms")
    with pytest.raises(BranchError, match="took longer than its timeout"):
        branch.result()


def test_a_branch_that_comes_to_no_event_any_more_is_ended_too(env):
    def hang(env):
        while True:
            pass

    branch = env.branch(until=None, collect=hang, timeout=0.02)
    with pytest.raises(BranchError, match="took longer than its timeout"):
        branch.result()


def test_waiting_for_a_result_can_have_an_end(env):
    branch = env.branch(until=None, prepare=never)
    with pytest.raises(TimeoutError):
        branch.result(timeout=0.01)
    assert not branch.is_done
    branch.cancel()


def test_asking_within_the_event_that_branches_says_what_to_do(env):
    def planning():
        yield env.timeout(1)
        with pytest.raises(BranchError, match="result = yield branch"):
            env.branch(until=3).result()

    env.process(planning())
    env.run()


def test_a_branch_can_be_cancelled_before_it_is_made(env):
    def planning():
        branch = env.branch(until=3)
        branch.cancel()
        with pytest.raises(BranchError, match="was cancelled"):
            yield branch

    env.process(planning())
    env.run()


def test_cancelling_what_is_done_changes_nothing(env):
    branch = env.branch(until=3, collect=now)
    assert branch.result() == 3
    branch.cancel()
    assert branch.result() == 3
    assert branch.is_done


def test_a_process_that_is_interrupted_waits_no_longer(env):
    got = []

    def planning():
        branch = env.branch(until=3, collect=now)
        try:
            yield branch
        except simpy.Interrupt as interrupt:
            got.append(interrupt.cause)
        got.append((yield branch))

    process = env.process(planning())

    def interrupting():
        process.interrupt("enough")
        yield env.timeout(1)

    env.process(interrupting())
    env.run()
    assert got == ["enough", 3]


def test_a_condition_takes_a_branch_as_any_event(env):
    def planning():
        branch = env.branch(until=3, collect=now)
        either = yield branch | env.timeout(1)
        return [either[event] for event in either]

    assert env.run(until=env.process(planning())) == [3]


def test_a_branch_that_is_done_leaves_neither_a_process_nor_a_descriptor(env):
    gc.collect()  # environments of other tests have descriptors
    env.doorbell.ring()
    before = has_descriptors()
    branch = env.branch(until=3, collect=lambda env: os.getpid())
    pid = branch.result()
    assert not is_there(pid)
    assert has_descriptors() == before


def test_a_branch_has_no_descriptor_of_another_one(env):
    others = [env.branch(until=None, prepare=never) for _ in range(3)]
    theirs = {os.fstat(other._child.fd).st_ino for other in others}
    open_there = env.branch(until=None, collect=lambda env: open_files()).result()
    assert theirs <= open_files()
    assert not theirs & open_there
    for other in others:
        other.cancel()


def test_what_comes_fast_is_taken_a_part_at_a_time(env):
    branch = env.branch(until=None, collect=lambda env: bytes(20_000_000))
    branch._listen(None)
    branch.hear()
    assert not branch.has_come
    assert 0 < len(branch._incoming._buffer) < 2_000_000
    assert len(branch.result()) == 20_000_000


def test_the_run_clears_away_branches_that_nobody_asks(env):
    pids = []

    def planning():
        branch = env.branch(until=3)
        yield env.timeout(1)
        pids.append(branch._child.pid)
        while is_there(pids[0]):
            yield env.timeout(1)

    env.run(until=env.process(planning()))


def test_a_branch_ends_with_its_environment():
    env = DynamicEnvironment()
    pid = env.branch(until=None, prepare=never)._child.pid
    assert is_there(pid)
    del env
    gc.collect()
    assert not is_there(pid)


PROGRAM = """
    import os, sys, signal
    from despatch import DynamicEnvironment

    def endless(env):
        while True:
            yield env.timeout(0)

    env = DynamicEnvironment()
    print("before", end=" ")  # in the buffer when the branch is made
    if sys.argv[1] == "many":
        branch = env.branches(
            2, until=None, prepare=lambda env: env.process(endless(env)), workers=2
        )
    else:
        branch = env.branch(until=None, prepare=lambda env: env.process(endless(env)))
    print(branch._child.pid, flush=True)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", ["killed", "left"])
@pytest.mark.parametrize("count", ["one", "many"])
def test_a_branch_ends_with_the_program_however_that_ends(count, how):
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), count, how]
    # Standard error is the branches' too: it ends when the last of them has ended.
    ended = subprocess.run(program, capture_output=True, text=True)
    assert ended.stderr == ""
    word, pid = ended.stdout.split()
    assert word == "before"
    wait_for(lambda: not is_there(int(pid)))


def test_what_a_branch_prints_goes_to_standard_error_once():
    program = """
        from despatch import DynamicEnvironment

        def talking(env):
            yield env.timeout(1)
            print("in the branch" if env.is_branch else "in the mainline")

        env = DynamicEnvironment()
        env.process(talking(env))
        print("before", end=" ")
        env.branch(until=2).result()
        env.run()
    """
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env=buffered,
    )
    assert ended.stdout == "before in the mainline\n"
    assert ended.stderr == "in the branch\n"


def test_a_branch_runs_no_handler_at_exit_and_no_clean_up_of_its_callers(tmp_path):
    program = """
        import atexit
        from despatch import DynamicEnvironment

        atexit.register(lambda: print("at exit"))
        env = DynamicEnvironment()

        def planning():
            try:
                yield env.timeout(1)
                yield env.branch(until=3)
                yield env.timeout(100)
            finally:
                print("cleaned up")

        env.process(planning())
        try:
            env.run()
        finally:
            print("run is over")
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True
    )
    assert ended.stdout.splitlines() == ["cleaned up", "run is over", "at exit"]
    assert ended.stderr == ""


def test_a_handle_is_an_event_with_the_environment_of_its_branch(env):
    branch = env.branch(until=3)
    assert isinstance(branch, Branch)
    assert isinstance(branch, simpy.Event)
    assert branch.env is env
    branch.cancel()
