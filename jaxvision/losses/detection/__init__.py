"""One detection paper's recipe a file."""
