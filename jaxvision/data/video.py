"""Opening videos and cameras."""

import cv2

from jaxvision.data.errors import DataError
from jaxvision.data.picture import check_pixels

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")


def open_capture(path: str, camera: int | None = None) -> cv2.VideoCapture:
    """Opens a video file, or a camera.

    Args:
        path: The file; of a camera its name, for messages.
        camera: Number of the camera, None for a file.

    Raises:
        DataError: If it cannot be opened, or its frames are larger than `picture.max_pixels`.
    """
    capture = cv2.VideoCapture(path if camera is None else camera)
    if not capture.isOpened():
        what = "no such camera" if camera is not None else "it is damaged, or of no known format"
        raise DataError(f"{path}: cannot open the video: {what}")
    sides = (capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    width, height = map(int, sides)
    check_pixels(width, height, path)
    return capture
