"""Replications: a model many times over, each time with a seed of its own.

`replicate` makes an order for each, has an executor perform them, and puts what they came to
together. `replication` is what a worker does, `tally` what it makes of the records, and
`estimates` what several replications say together.

Nothing is imported here: a worker needs no more than `replication`.
"""

__all__: list[str] = []
