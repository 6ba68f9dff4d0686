"""Using trained models on new data, and drawing what they predict."""
