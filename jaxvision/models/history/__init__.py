"""Where it began: one learning rule a file, as its paper states it."""
