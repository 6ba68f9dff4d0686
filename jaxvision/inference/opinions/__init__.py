"""Opinion scores: people rate pictures without knowing what made them."""
