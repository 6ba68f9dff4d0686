import os

import cv2
import numpy as np
import pytest

from jaxvision.data.png import write_png


def test_png_holds_the_picture(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (7, 5, 3), np.uint8)
    path = write_png(tmp_path / "plots" / "step_10.png", image)
    assert path == tmp_path / "plots" / "step_10.png"
    np.testing.assert_array_equal(cv2.imread(str(path))[:, :, ::-1], image)
    assert [p.name for p in path.parent.iterdir()] == ["step_10.png"]


def test_another_picture_of_the_same_name_is_written_beside_it(tmp_path):
    first, second = np.zeros((4, 4, 3), np.uint8), np.ones((4, 4, 3), np.uint8)
    path = tmp_path / "step_10.png"
    assert write_png(path, first) == path
    assert write_png(path, first) == path
    for _ in range(2):
        assert write_png(path, second) == tmp_path / "step_10-2.png"
    assert cv2.imread(str(path)).max() == 0
    assert len(list(tmp_path.iterdir())) == 2


def test_failed_write_leaves_no_file(tmp_path, monkeypatch):
    def fail(_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_png(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_wrong_names_and_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="a.jpg"):
        write_png(tmp_path / "a.jpg", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="float32"):
        write_png(tmp_path / "a.png", np.zeros((4, 4, 3), np.float32))
