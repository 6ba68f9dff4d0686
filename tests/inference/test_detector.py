import json

import cv2
import jax
import numpy as np
import pytest
from painted import Painted, painted

from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.data.errors import DataError
from jaxvision.inference.detector import Detector
from jaxvision.losses.detection.yolox import YOLOXMethod
from jaxvision.plots.detections import draw_detections
from jaxvision.tasks.dense_detection import DenseDetection

ONE = (20, 15, 20, 10, 1, 0.9)


def picture(height=64, width=64, value=9):
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize(("shape", "factor"), [((64, 128), 2), ((128, 64), 2), ((16, 32), 0.5)])
def test_boxes_are_in_pixels_of_the_image(shape, factor):
    found = painted(ONE)(picture(*shape))
    np.testing.assert_allclose(found.boxes, np.array([[10, 10, 30, 20]]) * factor, rtol=1e-5)
    np.testing.assert_array_equal(found.classes, [1])
    np.testing.assert_allclose(found.scores, [0.9], rtol=1e-5)
    assert (found.names, len(found), found.size) == (["dög"], 1, shape)


def test_boxes_end_at_the_edges_of_the_image():
    # The image covers the upper 32 rows of the input: one box reaches into the border, the other
    # lies in it.
    found = painted((10, 30, 40, 20, 0, 0.8), (30, 50, 10, 10, 0, 0.9))(picture(64, 128))
    np.testing.assert_allclose(found.boxes, [[0, 40, 60, 64]], rtol=1e-5)


def test_best_comes_first_and_scores_below_the_threshold_are_dropped():
    detector = painted((10, 10, 8, 8, 0, 0.2), (30, 10, 8, 8, 1, 0.5), (50, 50, 8, 8, 0, 0.7))
    np.testing.assert_allclose(detector(picture()).scores, [0.7, 0.5], rtol=1e-5)
    np.testing.assert_array_equal(detector(picture()).classes, [0, 1])
    assert len(detector(picture(), threshold=0.1)) == 3
    assert detector(picture(), threshold=0.99).boxes.shape == (0, 4)


def test_file_list_and_folder(tmp_path):
    detector = painted(ONE)
    (tmp_path / "inner").mkdir()
    for name, value in (("b.png", 9), ("a.PNG", 0), ("inner/c.png", 9)):
        cv2.imwrite(str(tmp_path / name), picture(value=value))
    (tmp_path / "note.txt").write_text("no image")
    assert len(detector(tmp_path / "b.png")) == len(detector(str(tmp_path / "b.png"))) == 1
    found = detector(tmp_path)
    assert [len(one) for one in found] == [0, 1, 1]
    assert [str(one.image) for one in found] == [
        str(tmp_path / name) for name in ("a.PNG", "b.png", "inner/c.png")
    ]
    mixed = detector([tmp_path / "b.png", picture(value=0), picture(32, 64)])
    assert [len(one) for one in mixed] == [1, 0, 1]
    assert [len(one) for one in detector(np.stack([picture(), picture(value=0)]))] == [1, 0]
    assert detector([]) == []


def test_many_images_need_few_programs():
    detector = painted(ONE, batch_size=16)
    network = detector.task.model
    for count in (1, 1, 2, 3, 4, 9, 16, 40):
        values = [9 * (i % 3 > 0) for i in range(count)]
        found = detector([picture(20 + i, 64, value) for i, value in enumerate(values)])
        assert [len(one) for one in found] == [int(value > 0) for value in values]
    assert [shape[0] for shape in network.shapes] == [1, 4, 16]


def test_each_shape_has_its_program_and_results_keep_their_order():
    detector = painted(ONE, shapes=((32, 64), (64, 32), (64, 64)), batch_size=4)
    sizes = [(20, 64), (64, 64), (64, 20), (20, 64), (20, 64), (64, 64), (20, 60)]
    values = [9, 0, 9, 0, 9, 9, 0]
    found = detector([picture(*size, value) for size, value in zip(sizes, values, strict=True)])
    assert [len(one) for one in found] == [int(value > 0) for value in values]
    assert [one.size for one in found] == sizes
    assert sorted(detector.task.model.shapes) == [
        (4, 32, 64, 3),
        (4, 64, 32, 3),
        (4, 64, 64, 3),
    ]


def test_result_is_a_picture_and_json(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture(64, 128))
    found = painted(ONE)(tmp_path / "a.png")
    expected = draw_detections(
        picture(64, 128), found.boxes, found.classes, found.scores, ("cat", "dög")
    )
    np.testing.assert_array_equal(found.plot(), expected)
    result = json.loads(json.dumps(found.to_dict()))
    (one,) = result.pop("objects")
    assert result == {"image": str(tmp_path / "a.png"), "height": 64, "width": 128}
    assert (one.pop("name"), one.pop("class")) == ("dög", 1)
    assert one.pop("score") == pytest.approx(0.9) and one.pop("box") == pytest.approx(
        [20, 20, 60, 40]
    )
    assert not one
    assert painted(ONE)(picture()).to_dict()["image"] is None


def test_faults(tmp_path):
    detector = painted(ONE)
    with pytest.raises(DataError, match=r"none\.jpg: cannot read the image"):
        detector(tmp_path / "none.jpg")
    (tmp_path / "note.txt").write_text("no image")
    with pytest.raises(DataError, match=r"note\.txt: not a readable image"):
        detector([picture(), tmp_path / "note.txt"])
    with pytest.raises(ValueError, match=r"holds no image \(\.avif, \.bmp, "):
        detector(tmp_path)
    for image in (picture().astype(np.float32), picture()[..., :1], np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match=r"image must be RGB \[H, W, 3\] uint8, got \["):
            detector(image)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        painted(ONE, batch_size=0)


def test_detector_from_elsewhere_has_no_data_to_be_evaluated_on():
    with pytest.raises(ValueError, match="only a model that comes from a run can be evaluated"):
        painted(ONE).evaluate()


def test_variables_are_put_on_the_devices_once():
    detector = Detector(
        DenseDetection(Painted(ONE), YOLOXMethod(), ("cat", "dog")),
        {"params": {"w": np.ones(2)}, "batch_stats": {"m": np.zeros(3)}},
        Letterbox((64, 64)),
    )
    assert isinstance(detector.params["w"], jax.Array)
    assert set(detector.model_state) == {"batch_stats"}
