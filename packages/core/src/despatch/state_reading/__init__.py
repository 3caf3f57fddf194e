"""Reading the state of the real system, in a process of its own.

`reading.read_state` starts ``python -m despatch.state_reading``, which opens the state source that
the settings name, reads a snapshot and closes it. Its client library does its work there, and so
does whatever it breaks. The process imports this package, so nothing is imported here.
"""

__all__: list[str] = []
