"""Kinds of problems, one file each: default values, what a task knows of the data, the wiring."""
