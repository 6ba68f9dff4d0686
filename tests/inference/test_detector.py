import json
import pathlib

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

import train
from jaxvision import models
from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.data.errors import DataError
from jaxvision.data.sources.shapes import Shapes
from jaxvision.inference.detector import Detector
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.tasks.yolox_detection import YOLOXDetection
from jaxvision.train.checkpoint import Checkpoints
from jaxvision.train.state import Average, TrainState

ROOT = pathlib.Path(__file__).parents[2]
SIZE = 32
NO_BOXES = np.zeros((0, 4), np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The work directory of a run of four steps."""
    workdir = tmp_path_factory.mktemp("runs") / "nano"
    flags = {
        "variant": "nano",
        "image_size": SIZE,
        "batch_size": 8,
        "epochs": 2,
        "num_workers": 1,
        "data.train_images": 16,
        "data.val_images": 8,
    }
    arguments = [f"--config.{k}={v}" for k, v in flags.items()]
    config = f"--config={ROOT / 'configs/yolox.py'}"
    assert train.main(["train.py", config, f"--workdir={workdir}", *arguments]) == 0
    return workdir


def saved_average(run):
    """The moving average of the run, read without jaxvision, and with the rest of the state."""
    with ocp.PyTreeCheckpointer() as checkpointer:
        folder = run / "checkpoints" / "4" / "state"
        tree = checkpointer.metadata(folder).item_metadata.tree
        numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        state = checkpointer.restore(folder, args=ocp.args.PyTreeRestore(restore_args=numpy))
    return state["ema"]["params"], state["ema"]["model_state"]


def files(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_detections_equal_those_of_the_task(run):
    before = files(run)
    detector = Detector.from_run(run)
    picture = Shapes(1, image_size=80)[0].image[:60]
    found = detector(picture, threshold=0.0)

    model = models.yolox("nano", num_classes=4)
    task = YOLOXDetection(model, detector.class_names, score_threshold=0.0)
    image, _, scale = Letterbox((SIZE, SIZE))(picture, NO_BOXES)
    expected = jax.jit(task.predict)(*saved_average(run), {"image": image[None]})

    # Anchors whose boxes lie in the border below the picture are not its detections.
    boxes = np.clip(expected.boxes[0] / scale, 0, [80, 60, 80, 60])
    kept = np.asarray(expected.valid[0]) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    assert kept.sum() > 10
    np.testing.assert_allclose(found.boxes, boxes[kept], rtol=1e-6)
    np.testing.assert_array_equal(found.scores, expected.scores[0][kept])
    np.testing.assert_array_equal(found.classes, expected.classes[0][kept])
    assert detector.class_names == Shapes.classes
    assert detector.image_size == SIZE
    assert files(run) == before


def test_reads_a_file_as_its_pixels(run, tmp_path):
    detector = Detector.from_run(run)
    picture = Shapes(1, image_size=80)[0].image
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        for a, b in zip(
            detector(path, threshold=0.0), detector(picture, threshold=0.0), strict=True
        ):
            np.testing.assert_array_equal(a, b)


class Painted:
    """Stands for a network that finds fixed boxes.

    Attributes:
        found: (center x, center y, width, height, class, score) of each, pixels of the input.
    """

    num_classes = 2

    def __init__(self, *found):
        self.found = found

    def apply(self, variables, images, *, train):
        assert images.shape == (1, 64, 64, 3)
        anchors = 8 * 8 + 4 * 4 + 2 * 2
        boxes, logits = np.zeros((anchors, 4)), np.full((anchors, 2), -30.0)
        objectness = np.full(anchors, -30.0)
        for i, (x, y, width, height, kind, score) in enumerate(self.found):
            # The anchors of the first row, at stride 8.
            boxes[i] = x / 8 - i, y / 8, np.log(width / 8), np.log(height / 8)
            logits[i, kind] = 30.0
            objectness[i] = np.log(score / (1 - score))
        return DetectorOutput(
            *(jnp.asarray(x[None], jnp.float32) for x in (boxes, objectness, logits))
        )


def painted(*found):
    return Detector(Painted(*found), {"params": {}}, ("cat", "dog"), 64)


@pytest.mark.parametrize(
    ("shape", "factor"), [((64, 128, 3), 2.0), ((128, 64, 3), 2.0), ((16, 32, 3), 0.5)]
)
def test_boxes_are_in_pixels_of_the_picture(shape, factor):
    found = painted((20, 15, 20, 10, 1, 0.9))(np.zeros(shape, np.uint8))
    box = np.array([[10.0, 10.0, 30.0, 20.0]]) * factor
    np.testing.assert_allclose(found.boxes, box, rtol=1e-5)
    np.testing.assert_array_equal(found.classes, [1])
    np.testing.assert_allclose(found.scores, [0.9], rtol=1e-5)


def test_boxes_end_at_the_edges_of_the_picture():
    # The picture covers the upper 32 rows of the input: one box reaches into the border, the other
    # lies in it.
    found = painted((10, 30, 40, 20, 0, 0.8), (30, 50, 10, 10, 0, 0.9))(
        np.zeros((64, 128, 3), np.uint8)
    )
    np.testing.assert_allclose(found.boxes, [[0, 40, 60, 64]], rtol=1e-5)


def test_best_comes_first_and_what_is_below_the_threshold_is_left_out():
    detector = painted((10, 10, 8, 8, 0, 0.2), (30, 10, 8, 8, 1, 0.5), (50, 50, 8, 8, 0, 0.7))
    picture = np.zeros((64, 64, 3), np.uint8)
    np.testing.assert_allclose(detector(picture).scores, [0.7, 0.5], rtol=1e-5)
    np.testing.assert_array_equal(detector(picture).classes, [0, 1])
    assert len(detector(picture, threshold=0.1).boxes) == 3
    assert detector(picture, threshold=0.99).boxes.shape == (0, 4)


def save(workdir, scores, *, average=True, best="AP", meta=None):
    """Writes a checkpoint a score, whose parameters say its step."""
    if meta is None:
        meta = {
            "config": {"variant": "nano", "image_size": 64, "dtype": "auto"},
            "class_names": ["cat", "dog"],
        }
    checkpoints = Checkpoints(workdir / "checkpoints", meta=meta, best=best, keep=9)
    for step, score in scores.items():
        parts = {"w": np.full(2, step, np.float32)}, {"batch_stats": {"m": np.zeros(3, np.float32)}}
        state = TrainState(
            step=np.asarray(step, np.int32),
            params=jax.tree.map(lambda x: x + 100, parts[0]),
            model_state=parts[1],
            opt_state=({"trace": np.zeros(2, np.float32)},),
            ema=Average(*parts) if average else None,
        )
        checkpoints.save(state, None if score is None else {"AP": score})
    checkpoints.close()
    return workdir


def loaded(workdir, step=None):
    return int(Detector.from_run(workdir, step=step).variables["params"]["w"][0])


@pytest.mark.parametrize(
    ("scores", "step"),
    [
        ({2: 0.1, 4: 0.6, 6: 0.4, 8: None}, 4),
        ({2: 0.0, 4: 0.0, 6: None}, 4),
        ({2: None, 4: None}, 4),
        ({2: 0.3, 10: 0.2}, 2),
    ],
)
def test_best_step_is_the_default_else_the_newest(tmp_path, scores, step):
    assert loaded(save(tmp_path, scores)) == step


def test_newest_step_is_the_default_of_a_run_without_a_metric(tmp_path):
    assert loaded(save(tmp_path, {8: None, 16: None}, best=None)) == 16


def test_step_can_be_chosen(tmp_path):
    save(tmp_path, {2: 0.1, 4: 0.6, 6: 0.4})
    assert [loaded(tmp_path, step) for step in (2, 4, 6)] == [2, 4, 6]
    with pytest.raises(ValueError, match="step must be one of 2, 4, 6, .* got 3"):
        Detector.from_run(tmp_path, step=3)


def test_parameters_serve_where_there_is_no_average(tmp_path):
    detector = Detector.from_run(save(tmp_path, {2: 0.1}, average=False))
    np.testing.assert_array_equal(detector.variables["params"]["w"], [102, 102])
    assert set(detector.variables) == {"params", "batch_stats"}
    assert detector.model.num_classes == 2


def test_what_a_killed_run_leaves_behind_is_no_checkpoint(tmp_path):
    save(tmp_path, {2: 0.1})
    (tmp_path / "checkpoints" / "4.orbax-checkpoint-tmp").mkdir()
    (tmp_path / "checkpoints" / "3.unreadable").mkdir()
    assert loaded(tmp_path) == 2


@pytest.mark.parametrize("folder", ["", "checkpoints"])
def test_folder_without_checkpoints(tmp_path, folder):
    (tmp_path / "run" / folder).mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"run/checkpoints holds no checkpoints"):
        Detector.from_run(tmp_path / "run")
    assert not list((tmp_path / "run" / folder).iterdir())


def test_run_of_something_else(tmp_path):
    save(tmp_path / "a", {2: 0.1}, meta={"class_names": []})
    with pytest.raises(ValueError, match="has no variant, image_size, dtype"):
        Detector.from_run(tmp_path / "a")
    config = {"variant": "resnet50", "image_size": 64, "dtype": "auto"}
    save(tmp_path / "b", {2: 0.1}, meta={"class_names": ["cat"], "config": config})
    with pytest.raises(ValueError, match="variant must be one of yolox_nano, .* got resnet50"):
        Detector.from_run(tmp_path / "b")


def test_file_that_is_no_image(run, tmp_path):
    detector = Detector.from_run(run)
    with pytest.raises(DataError, match=r"none\.jpg: cannot read the image: No such file"):
        detector(tmp_path / "none.jpg")
    (tmp_path / "a.jpg").write_text(json.dumps({}))
    with pytest.raises(DataError, match=r"a\.jpg: not a readable image"):
        detector(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("image", "got"),
    [
        (np.zeros((8, 8, 3), np.float32), r"\[8, 8, 3\] float32"),
        (np.zeros((8, 8), np.uint8), r"\[8, 8\] uint8"),
        (np.zeros((8, 8, 4), np.uint8), r"\[8, 8, 4\] uint8"),
        (np.zeros((0, 8, 3), np.uint8), r"\[0, 8, 3\] uint8"),
    ],
)
def test_array_that_is_no_rgb_image(image, got):
    with pytest.raises(ValueError, match=r"image must be RGB \[H, W, 3\] uint8, got " + got):
        painted()(image)


def test_names_and_size_that_do_not_fit_the_network():
    model = models.yolox("nano", num_classes=3)
    with pytest.raises(ValueError, match="class_names must be 3, one a class .* got 2"):
        Detector(model, {"params": {}}, ("cat", "dog"), 64)
    with pytest.raises(ValueError, match="image_size must be a multiple of 32, got 100"):
        Detector(model, {"params": {}}, ("cat", "dog", "cow"), 100)
