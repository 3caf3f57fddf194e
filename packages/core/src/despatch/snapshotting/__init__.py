"""Snapshotting: a running simulation says what state it is in, as a document that a model takes in.

`document` is all of it, `keys` is what those are called who are served and who wait, and
`plain_items` makes plain data of what is in a store. The way back is `restoring`. A simulation
that is never asked does not pay for all this, so nothing is imported here.
"""

__all__: list[str] = []
