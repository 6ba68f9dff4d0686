"""Per-example or scalar losses with explicit masks."""
