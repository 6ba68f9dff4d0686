import cv2
import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.readers.super_resolution import picture_folder
from jaxvision.data.sources.decoded import Decoded
from jaxvision.data.sources.pictures import Given
from jaxvision.data.super_resolution import evaluation_sets


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def written(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    return image


def test_set5_layout_has_pictures_and_their_counterparts(tmp_path):
    high = written(tmp_path / "HR" / "bird.png", picture(13, 17))
    low = written(tmp_path / "LRx3" / "bird.png", picture(4, 5))
    alone = picture_folder(str(tmp_path))[0]
    np.testing.assert_array_equal(alone.image, high)
    assert alone.target is None
    pair = picture_folder(str(tmp_path), scale=3, low=True)[0]
    np.testing.assert_array_equal(pair.image, low)
    np.testing.assert_array_equal(pair.target, high[:12, :15])
    with pytest.raises(DataError, match=r"LRx2/bird\.png is missing; expected HR/<name>"):
        picture_folder(str(tmp_path), scale=2, low=True)
    written(tmp_path / "LRx4" / "bird.png", picture(5, 4))
    with pytest.raises(DataError, match="4 x 5 pixels are no whole part of 17 x 13"):
        picture_folder(str(tmp_path), scale=4, low=True)[0]


def test_div2k_and_selfexsr_layouts(tmp_path):
    for split, seed in (("train", 1), ("valid", 2)):
        written(tmp_path / "div" / f"DIV2K_{split}_HR" / "0001.png", picture(8, 8, seed))
        low = tmp_path / "div" / f"DIV2K_{split}_LR_bicubic" / "X4" / "0001x4.png"
        written(low, picture(2, 2, seed))
    source = picture_folder(str(tmp_path / "div"), "valid", scale=4, low=True)
    np.testing.assert_array_equal(source[0].target, picture(8, 8, 2))
    np.testing.assert_array_equal(source[0].image, picture(2, 2, 2))
    written(tmp_path / "b" / "image_SRF_2" / "img_1_SRF_2_HR.png", picture(6, 6))
    written(tmp_path / "b" / "image_SRF_2" / "img_1_SRF_2_LR.png", picture(3, 3))
    source = picture_folder(str(tmp_path / "b"), scale=2, low=True)
    assert len(source) == 1 and source[0].target_factor == 2


def test_any_folder_and_a_single_picture(tmp_path):
    written(tmp_path / "a" / "one.png", picture(5, 6))
    grey = written(tmp_path / "b" / "two.png", picture(5, 6)[..., 0])
    rgba = np.dstack([picture(5, 6), np.full((5, 6), 7, np.uint8)])
    cv2.imwrite(str(tmp_path / "three.png"), rgba)
    source = picture_folder(str(tmp_path))
    assert [source.name(i).rpartition("/")[2] for i in range(3)] == [
        "one.png",
        "two.png",
        "three.png",
    ]
    np.testing.assert_array_equal(source[1].image, np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(source[2].image, rgba[..., 2::-1])
    assert len(picture_folder(str(tmp_path / "three.png"))) == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture"):
        picture_folder(str(tmp_path / "empty"))
    with pytest.raises(DataError, match="there is no such folder"):
        picture_folder(str(tmp_path / "nothing"))


def test_evaluation_sets_are_named_after_their_folders(tmp_path):
    for name in ("set5", "set14"):
        written(tmp_path / name / "HR" / "x.png", picture(5, 6))
    found = evaluation_sets(f"{tmp_path}/set5, {tmp_path}/set14/")
    assert list(found) == ["set5", "set14"]
    with pytest.raises(ValueError, match="two called set5"):
        evaluation_sets(f"{tmp_path}/set5,{tmp_path}/set5")


def test_decoded_pictures_are_read_from_the_disk_the_second_time(tmp_path):
    class Counted(Given):
        reads = 0

        def __getitem__(self, index):
            self.reads += 1
            return super().__getitem__(index).replace(target=picture(8, 8))

    source = Counted([picture(4, 4)])
    for _ in range(2):
        sample = Decoded(source, str(tmp_path), "bicubic")[0]
        np.testing.assert_array_equal(sample.image, picture(4, 4))
        np.testing.assert_array_equal(sample.target, picture(8, 8))
        assert isinstance(sample.image, np.memmap)
    assert source.reads == 1
    Decoded(source, str(tmp_path), "blurred")[0]
    assert source.reads == 2
