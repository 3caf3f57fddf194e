from __future__ import annotations

import despatch


def test_all_that_is_public_is_there_once_and_in_order():
    assert [name for name in despatch.__all__ if not hasattr(despatch, name)] == []
    assert despatch.__all__ == sorted(set(despatch.__all__))
