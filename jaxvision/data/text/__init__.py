"""Sentences as batches of tokens."""
