"""Formats of data, one a file: each opens a split as a checked source, or raises DataError."""
