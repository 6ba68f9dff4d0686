"""Using trained models: drawing what they predict."""
