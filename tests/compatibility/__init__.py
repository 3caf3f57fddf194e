"""SimPy's own tests, examples and guides, run on despatch's classes.

SimPy's source distribution is fetched (`source`), the names of its classes are bound to
despatch's (`rebinding`), and then its tests, its documentation's examples and the snippets of its
guides have to do what they do on SimPy.
"""
