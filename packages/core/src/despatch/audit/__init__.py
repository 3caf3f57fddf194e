"""The audit journal: what became of every command, and how a run goes on from another."""
