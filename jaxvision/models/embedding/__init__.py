"""Networks from images to vectors whose distances say what is alike."""
