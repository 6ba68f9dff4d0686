"""Classifiers of clips: videos, folders of frames and arrays, in Python and by the command."""

import json

import cv2
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.cli import predict
from jaxvision.cli.main import main
from jaxvision.data.augment.fixed_crop import CenterCrop
from jaxvision.data.errors import DataError
from jaxvision.inference.clip_classifier import ClipClassifier
from jaxvision.inference.demo.kinds import answers
from jaxvision.inference.inputs import ClipInputs
from jaxvision.plots.clip import side_by_side
from jaxvision.tasks.classification import ImageClassification

FRAMES = 4


class Change:
    """Stands for a network that sees whether clips become brighter, and in which half."""

    def apply(self, variables, clips, *, train):
        change = (clips[:, -1] - clips[:, 0]).mean(axis=(1, 3))
        left, right = change[:, :4].mean(axis=1), change[:, 4:].mean(axis=1)
        return variables["params"]["scale"] * jnp.stack([left, right, -left - right], axis=-1)


def classifier(**options):
    task = ImageClassification(Change(), ("left", "right", "darker"))
    variables = {"params": {"scale": jnp.float32(3)}}
    return ClipClassifier(task, variables, CenterCrop((8, 8), 8), frames=FRAMES, **options)


def clip(left, right, frames=12):
    """A clip whose halves become brighter by so much a frame."""
    made = np.full((frames, 24, 24, 3), 100, np.int32)
    steps = np.arange(frames)[:, None, None, None]
    made[:, :, :12] += left * steps
    made[:, :, 12:] += right * steps
    return made.astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """One clip as a video, another as a folder of frames."""
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (24, 24))
    (tmp_path / "b").mkdir()
    for number, (one, other) in enumerate(zip(clip(9, 0), clip(0, 9), strict=True)):
        writer.write(one)
        cv2.imwrite(str(tmp_path / "b" / f"{number:02}.png"), other)
    writer.release()
    return tmp_path


def test_a_video_frames_and_an_array_are_clips(folder):
    model = classifier(batch_size=2)
    assert model(folder / "a.avi").name == "left"
    assert model(folder / "b").name == "right"
    found = model(clip(-8, -8))
    assert found.name == "darker" and found.size == (24, 24)
    # In order, of more than a batch.
    assert [one.name for one in model(folder)] == ["left", "right"]
    names = [one.name for one in model([folder / "b", clip(9, 0), clip(-5, -5)])]
    assert names == ["right", "left", "darker"]
    whole = model(clip(0, 9))
    few = model(clip(0, 9)[[1, 4, 7, 10]])
    np.testing.assert_array_equal(whole.probabilities, few.probabilities)


def test_a_mirror_image_is_seen_too():
    found = classifier().replaced(tta=True)(clip(9, 0))
    np.testing.assert_allclose(found.probabilities[0], found.probabilities[1], rtol=1e-5)


def test_frames_are_drawn_beside_each_other(folder):
    drawn = classifier()(folder / "a.avi").plot()
    assert drawn.ndim == 3 and drawn.shape[1] > 2 * drawn.shape[0]
    strip = side_by_side(clip(9, 0))
    assert strip.shape == (24, 96, 3)
    np.testing.assert_array_equal(strip[:, -24:], clip(9, 0)[-1])
    assert side_by_side(strip) is strip


def test_the_program_is_of_clips():
    program = classifier().program()
    assert program.what == "clip 4 x 8 x 8"
    assert program.inputs(3)[0].shape == (3, 4, 8, 8, 3)


def test_what_is_no_clip_is_said(folder, tmp_path):
    model = classifier()
    with pytest.raises(DataError, match="the clip: has 3 frames, fewer than the 4"):
        model(clip(9, 0, frames=3))
    with pytest.raises(ValueError, match=r"a clip must be RGB \[T, H, W, 3\] uint8, got \[24, 24"):
        model([clip(9, 0)[0]])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no video and no frames"):
        model(tmp_path / "empty")
    with pytest.raises(ValueError, match="the demo takes pictures or texts, and this run takes"):
        answers(model, 1000)
    with pytest.raises(ValueError, match=r"int8 is calibrated on pictures .* reads clips"):
        model.export(tmp_path / "model.onnx", precision="int8", pictures=[folder])


def test_the_command_takes_a_video_as_one(folder, monkeypatch, capfd):
    monkeypatch.setattr(predict, "load_runs", lambda *arguments, **options: classifier())
    (folder / "broken.mp4").write_bytes(b"no video")
    out = folder / "found"
    assert main(["predict", "run", str(folder), f"--out={out}", "--save=json"]) == 1
    said = capfd.readouterr()
    assert "a.avi: left" in said.out and "b: right" in said.out
    assert "broken.mp4" in said.err and "2 predicted, 1 could not be read" in said.err
    assert {file.name for file in out.glob("*.png")} == {"a.png", "b.png"}
    found = json.loads((out / "predictions.json").read_text())
    assert [one["names"] for one in found] == [["left"], ["right"]]


def test_clips_of_a_command_line(folder):
    listed = folder / "list.txt"
    listed.write_text("a.avi\n")
    found = ClipInputs([str(listed), str(folder / "b")])
    assert sorted(found.pictures) == sorted([str(folder / "a.avi"), str(folder / "b")])
    assert not found.videos
