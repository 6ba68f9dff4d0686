import cv2
import numpy as np
import pytest


def _picture(width: int, height: int) -> np.ndarray:
    """A smooth picture, RGB, that survives JPEG coding."""
    x, y = np.linspace(40, 200, width), np.linspace(40, 200, height)
    red, green = np.meshgrid(x, y)
    return np.stack([red, green, np.full_like(red, 90)], axis=2).astype(np.uint8)


@pytest.fixture
def write_image(tmp_path):
    """Writes a picture to a path relative to `tmp_path` and returns its pixels before coding."""

    def write(name: str, width: int = 64, height: int = 48) -> np.ndarray:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = _picture(width, height)
        assert cv2.imwrite(str(path), picture[..., ::-1])
        return picture

    return write


@pytest.fixture
def write_text(tmp_path):
    """Writes text to a path relative to `tmp_path`."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    return write
