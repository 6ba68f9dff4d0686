"""Parallel text as batches of tokens."""
