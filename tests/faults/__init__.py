"""The fault suite: what becomes of records while sinks, disks and processes fail.

`README.md` beside this file says what is tested and how to run it.
"""
