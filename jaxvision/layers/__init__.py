"""Flax blocks that two or more architectures share, one concept a file."""
