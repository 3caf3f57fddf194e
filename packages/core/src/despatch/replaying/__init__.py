"""Replay: a recorded run once more, and where it differs."""

from despatch.replaying.replay import ReplayReport, replay

__all__ = ["ReplayReport", "replay"]
