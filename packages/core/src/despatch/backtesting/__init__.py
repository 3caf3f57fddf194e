from despatch.backtesting.history import History
