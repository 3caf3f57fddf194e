"""The courier: carries what the journal holds to the sinks, and commands to the simulation.

It runs as a process of its own or as a thread, with one code path (`courier.Courier`) and two
hosts (`hosts`). It never imports the model.
"""
