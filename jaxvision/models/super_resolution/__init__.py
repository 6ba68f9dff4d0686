"""Networks from low-resolution pictures to larger ones, and discriminators of such pictures."""
