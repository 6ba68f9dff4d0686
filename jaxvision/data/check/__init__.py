"""Reads a detection dataset as training would, and tells what is wrong with it."""
