from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.branching.answers import Answer, Answers, Kind, result_answer

ANSWERS = st.builds(
    Answer, st.integers(0, 2**32 - 1), st.sampled_from(Kind), st.binary(max_size=5000)
)


@given(st.lists(ANSWERS, max_size=20), st.integers(1, 4096))
def test_answers_come_as_they_were_sent_however_they_are_cut(sent, piece):
    read_fd, write_fd = os.pipe()
    answers, came = Answers(read_fd), []
    whole_read, whole_write = os.pipe()
    try:
        for answer in sent:
            # A pipe holds 64 KiB, and an answer here is smaller.
            answer.send(whole_write)
            packed = os.read(whole_read, 100_000)
            for start in range(0, len(packed), piece):
                os.write(write_fd, packed[start : start + piece])
                came += answers.receive()
    finally:
        for fd in (write_fd, whole_read, whole_write):
            os.close(fd)
    assert came == sent
    assert not answers.has_ended
    assert answers.receive() == []
    assert answers.has_ended
    os.close(read_fd)


def test_an_answer_larger_than_a_pipe_is_sent_as_it_is_read():
    read_fd, write_fd = os.pipe()
    sent = Answer(3, Kind.RESULT, os.urandom(1_000_000))
    sender = threading.Thread(target=sent.send, args=(write_fd,))
    sender.start()
    answers, came = Answers(read_fd), []
    while not came:
        came = answers.receive()
    sender.join()
    assert came == [sent]
    os.close(write_fd)
    os.close(read_fd)


def test_an_answer_without_a_reader_is_a_broken_pipe():
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    with pytest.raises(BrokenPipeError):
        Answer(0, Kind.RESULT, b"").send(write_fd)
    os.close(write_fd)


def test_what_cannot_be_pickled_is_named_by_its_class():
    with pytest.raises(TypeError, match=r"^collect: expected .* generator cannot be: "):
        result_answer(0, (each for each in ()))
