"""Branching: exact copies of a running simulation, which run ahead while it goes on.

A copy is made by `fork` between two events. What there is, in the order in which it is used:
`permission` says whether a branch can be had, `forking` makes the process, `severing` cuts it off
from all that is the mainline's, `plan` is what it does, `answers` how its result comes back, and
`handles` what the mainline holds of it. `template` is the copy of which `env.branches` makes many,
and `branching` keeps the branches of one environment.
"""
