"""Forecasting: from the present state to the time to come, by many replications of the model.

`forecasting.forecast` puts it together. What is watched are `figures`; `ensemble` is what workers
do, with `readers` and `counting` to read the figures and `sampling` to look at the right instants.
`conducting` has the replications performed, until they are exact enough by `stopping`. What comes
of it is a `Forecast` of `Outlook`s, whose `intervals` say how exact it is.

Nothing is imported here: a worker needs no more than `ensemble`.
"""

__all__: list[str] = []
