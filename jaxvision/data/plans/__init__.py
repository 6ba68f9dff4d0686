"""Which examples are in which batch."""
