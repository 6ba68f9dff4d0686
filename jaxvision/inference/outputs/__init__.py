"""Files that predictions are written to, one format a file.

Each is a context manager of the folder to write to; it gives a function that takes one result after
another, and the files are complete when it ends.
"""
