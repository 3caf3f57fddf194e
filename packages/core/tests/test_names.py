from __future__ import annotations

import pytest

from despatch.names import is_name


@pytest.mark.parametrize("text", ["a", "_", "0", "line-a.2_b", "X" * 64])
def test_a_name_is_letters_digits_and_a_few_marks(text):
    assert is_name(text)


@pytest.mark.parametrize("text", ["", "-a", ".a", "a b", "a/b", "a\n", "ä", "a:b", "X" * 65])
def test_what_would_not_do_on_a_command_line_or_in_a_path_is_no_name(text):
    assert not is_name(text)
