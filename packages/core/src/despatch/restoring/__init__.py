"""Restoring: a model begins from the state that a snapshot says.

`beginning` has the model take it in instead of building it, `initial` sets the parameters,
`checking` holds the state against the model, `restored` is what the model's own `resume` works
with, and `placing` and `stocks` put things where they belong. A run without a state does not pay
for all this, so nothing is imported here.
"""

__all__: list[str] = []
