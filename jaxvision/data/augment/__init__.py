"""Augmentations, one concept a file: boxes move with the pixels."""
