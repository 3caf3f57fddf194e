"""Reading the state of the real system, in a process of its own.

`read_state` starts ``python -m despatch.state_reading``, which opens the state source that the
settings name, reads a snapshot and closes it. Its client library stays there, and so does
whatever it breaks.
"""

from despatch.state_reading.reading import STATE, StateReading, read_state

__all__ = ["STATE", "StateReading", "read_state"]
