"""Detection networks: images to raw predictions, without assignment, loss or decoding."""
