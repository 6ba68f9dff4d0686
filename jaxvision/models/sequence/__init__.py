"""Networks from sequences of tokens."""
