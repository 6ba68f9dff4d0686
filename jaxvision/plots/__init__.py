"""Pictures of data, predictions and metrics.

Charts are Matplotlib figures, which a notebook shows as they are and `to_rgb` turns into pixels;
boxes on images are drawn by OpenCV, with lettering by Pillow.
"""
