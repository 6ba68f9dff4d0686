"""Annotation formats, one a file: each opens a folder as a checked detection source."""
