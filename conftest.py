"""For every suite of the workspace: servers that tests may ask for, and accounts that add up."""

pytest_plugins = ["services", "accounted"]
