"""Clips of drawn motions and of videos."""

import cv2
import numpy as np
import pytest

from jaxvision.data import picture
from jaxvision.data.augment.random_resized_crop import RandomResizedCrop, ReadCrop
from jaxvision.data.classification import classification_source
from jaxvision.data.classification_examples import classification_train_example
from jaxvision.data.errors import DataError
from jaxvision.data.readers.video_folder import video_folder
from jaxvision.data.sources.motions import CLASSES, Motions
from jaxvision.inference.inputs import Video


def test_shapes_move_as_their_class_says():
    source = Motions(8, frames=4, image_size=40)
    for index in range(8):
        sample = source[index]
        assert sample.image.shape == (4, 40, 40, 3)
        before, after = sample.image[:2].astype(np.float32).sum(-1)
        columns, rows = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}[
            CLASSES[sample.label]
        ]
        moved = {
            (i, j): np.abs(np.roll(before, (i, j), (0, 1)) - after).mean()
            for i in range(-4, 5)
            for j in range(-4, 5)
        }
        i, j = min(moved, key=moved.get)
        assert (np.sign(i), np.sign(j)) == (rows, columns)


def test_frames_of_all_classes_begin_alike():
    source = Motions(400, frames=2)
    first = np.stack([source[i].image[0] for i in range(400)]).astype(np.float32)
    means = [first[source.labels == k].mean((0, 3)) for k in range(4)]
    assert np.std([m.mean() for m in means]) < 6
    assert max(np.abs(m - first.mean((0, 3))).mean() for m in means) < 12


def test_one_draw_moves_all_frames():
    clips = Motions(4, frames=3, image_size=32)
    example = classification_train_example(clips, (24, 24), crop="pad", padding=2, flip=1.0)
    row = example(1, np.random.default_rng(0))
    assert row["image"].shape == (3, 24, 24, 3)


@pytest.mark.parametrize("side", [20, 32])
def test_a_resized_crop_is_that_of_each_frame(side):
    clips = Motions(2, frames=3, image_size=32)
    crop = RandomResizedCrop((side, side), area=(0.5, 1.0))
    clip = ReadCrop(crop)(clips, 1, np.random.default_rng(3)).image
    assert clip.shape == (3, side, side, 3)
    window = crop.window(32, 32, np.random.default_rng(3))
    for frame, made in zip(clips[1].image, clip, strict=True):
        np.testing.assert_array_equal(made, crop.cut_reduced(frame, window, 1))


@pytest.fixture
def folder(tmp_path):
    """Frame t of a video has the grey value 20 t; one file, one folder of frames."""
    (tmp_path / "train" / "wave").mkdir(parents=True)
    frames = tmp_path / "train" / "jump" / "first"
    frames.mkdir(parents=True)
    path = str(tmp_path / "train" / "wave" / "a.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 24))
    for t in range(12):
        picture = np.full((24, 32, 3), 20 * t, np.uint8)
        writer.write(picture)
        cv2.imwrite(str(frames / f"{t:02}.png"), picture)
    writer.release()
    return tmp_path


def test_clips_are_frames_at_equal_distances(folder):
    source = classification_source("video_folder", str(folder), "train", frames=4)
    assert source.classes == ("jump", "wave") and source.labels.tolist() == [0, 1]
    for index in range(2):
        clip = source[index].image
        assert clip.shape == (4, 24, 32, 3)
        np.testing.assert_allclose(clip.mean((1, 2, 3)), [20, 80, 140, 200], atol=3)


def test_a_short_or_cut_video_is_an_error(folder):
    source = video_folder(str(folder), "train", frames=20)
    with pytest.raises(DataError, match="first: has 12 frames, fewer than the 20 of data.frames"):
        source[0]
    with pytest.raises(DataError, match="has 12 frames, fewer than the 20"):
        source[1]
    path = folder / "train" / "wave" / "a.avi"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="a.avi"):
        video_folder(str(folder), "train", frames=10)[1]


def test_folders_without_videos_are_errors(folder):
    with pytest.raises(DataError, match="there is no such folder; expected val/<class>/<video>"):
        video_folder(str(folder), "val")
    with pytest.raises(DataError, match="the class jump is none of wave"):
        video_folder(str(folder), "train", classes=("wave",))


def test_videos_of_too_many_pixels_and_damaged_ones_are_errors(folder, monkeypatch):
    path = folder / "train" / "wave" / "a.avi"
    monkeypatch.setattr(picture, "max_pixels", lambda: 32 * 24 - 1)
    for read in (lambda: video_folder(str(folder), "train", frames=4)[1], lambda: Video(str(path))):
        with pytest.raises(DataError, match=r"a.avi: the image has 32 x 24 pixels"):
            read()
    path.write_bytes(b"no video")
    with pytest.raises(DataError, match="a.avi: cannot open the video: it is damaged"):
        video_folder(str(folder), "train", frames=4)[1]
