"""Networks from images to a class for every pixel."""
