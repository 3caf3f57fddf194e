"""Loads the fixtures that start servers, for every suite of the workspace."""

pytest_plugins = ["services"]
