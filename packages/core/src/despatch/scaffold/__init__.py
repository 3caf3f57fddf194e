"""Scaffold: a new distribution with a plugin that works, for its author to go on from.

`Project` says what is to be made. `despatch.scaffold.making` makes it, and takes copier, which
``pip install "despatch[scaffold]"`` brings.
"""

from despatch.scaffold.project import Project, ProjectKind

__all__ = ["Project", "ProjectKind"]
