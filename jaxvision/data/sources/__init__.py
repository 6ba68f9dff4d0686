"""Where examples come from: files on disk, or drawn on the spot."""
