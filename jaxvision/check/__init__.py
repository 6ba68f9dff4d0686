"""Reads a detection dataset as training would, and reports what is wrong with it."""
