from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from despatch.plugins.docstrings import docstring_of, read_docstring

TEXT = """Sends records,
    one by one.

    It waits for each. Note: that is slow.

        >>> Sink()
        <Sink>

    Args:
        url: Where to,
            in two lines.
        timeout (float): How long.

            At the longest.
        **others: Handed on.

    It ends with words.

    Raises:
        OSError: It is down.
    """


def test_a_docstring_is_taken_apart():
    read = read_docstring(TEXT)
    assert read.summary == "Sends records, one by one."
    assert read.text == "It waits for each. Note: that is slow.\n\nIt ends with words."
    assert read.sections == {
        "Args": {
            "url": "Where to, in two lines.",
            "timeout": "How long. At the longest.",
            "others": "Handed on.",
        },
        "Raises": {"OSError": "It is down."},
    }


def test_a_line_that_ends_in_a_colon_is_a_heading_only_above_something_indented():
    assert read_docstring("It says:\n\nNothing.").summary == "It says:"
    assert read_docstring("It says:").sections == {}


def test_no_docstring_says_nothing():
    assert read_docstring(None) == read_docstring("")


@given(st.text(alphabet="aA:\n *()>"))
def test_whatever_stands_there_can_be_read(text):
    read_docstring(text)


class Interface:
    """What all have in common."""


class Documented(Interface):
    """What some have in common."""


class Silent(Documented):
    pass


class Mute(Interface):
    pass


def test_a_class_without_words_has_those_of_the_class_that_it_is_made_of():
    assert docstring_of(Silent, below=Interface).summary == "What some have in common."


def test_the_words_of_the_interface_are_not_those_of_a_plugin():
    assert docstring_of(Mute, below=Interface).summary == ""
    assert docstring_of(Mute).summary == "What all have in common."
