"""The demo: a small factory, run by ``despatch demo`` and built step by step in the tutorial."""
