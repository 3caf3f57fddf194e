"""Plugins: what is installed, whether it fits, and loading it on first use.

A plugin is an entry point in a group of `Kind`, such as ``despatch.egress``, of an installed
distribution. All that can be told of it without running its code is read from the distribution's
metadata; its code is imported by `Plugins.load` alone.
A plugin that is broken or does not fit is reported, and hinders no other.
"""

from despatch.plugins.catalogue import Plugins
from despatch.plugins.kinds import Kind
from despatch.plugins.plugin import Plugin, Status

__all__ = ["Kind", "Plugin", "Plugins", "Status"]
