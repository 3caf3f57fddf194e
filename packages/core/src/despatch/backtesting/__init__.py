"""Backtesting: forecasts of what has come already, scored by what came.

A `History` says what was known at many instants and what then came; `freezing` takes it at its
word and no further. `backtest` has each instant forecast, and makes a `Backtest` of it: `result`
says how good the forecasts were, by the `scores`, and `picture` draws it.
"""

from despatch.backtesting.history import History

__all__ = ["History"]
