"""Networks from clips, the frames of a short video, to classes."""
