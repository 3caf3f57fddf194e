"""The executors that come with despatch. They are found by entry point, as any other is."""

__all__: list[str] = []
