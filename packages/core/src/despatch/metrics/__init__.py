"""Metrics: how a run fares, for Prometheus.

Importing this takes prometheus-client, which ``pip install "despatch[metrics]"`` brings. The
courier imports it where the settings have `metrics`.
"""

from despatch.metrics.endpoint import Endpoint

__all__ = ["Endpoint"]
