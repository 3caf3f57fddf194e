"""The command line: a module for each command."""

from despatch.cli.app import app, main

__all__ = ["app", "main"]
