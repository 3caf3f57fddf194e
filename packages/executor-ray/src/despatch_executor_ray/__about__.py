"""Which version this is: `hatch version` writes it, and all others read it here."""

__version__ = "0.1.0"
