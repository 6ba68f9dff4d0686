import numpy as np
import pytest

from jaxvision.ops.nms import Detections
from jaxvision.plots import detections as draw
from jaxvision.plots import sheet

NAMES = ("circle", "square", "a class whose name is much longer than any picture is wide")
GREY = np.full((128, 96, 3), 114, np.uint8)


def only_labels(monkeypatch):
    """Records what each label says."""
    seen = []

    def recorded(original):
        def write(canvas, text, *rest):
            seen.append(text)
            original(canvas, text, *rest)

        return write

    for module in (draw, sheet):
        monkeypatch.setattr(module, "write", recorded(module.write))
    return seen


def test_box_is_drawn_in_the_colour_of_its_class_at_its_place():
    image = draw.draw_detections(GREY, np.array([[10, 20, 60, 100]]), np.array([1]), None, NAMES)
    assert image.shape == (512, 384, 3)
    for y, x in ((60 * 4, 10 * 4), (60 * 4, 60 * 4), (100 * 4, 35 * 4)):
        np.testing.assert_array_equal(image[y, x], draw.PALETTE[1])
    np.testing.assert_array_equal(image[60 * 4, 35 * 4], GREY[0, 0])


def test_image_is_not_changed_and_large_ones_keep_their_size():
    before = np.full((640, 480, 3), 50, np.uint8)
    image = before.copy()
    after = draw.draw_detections(image, np.array([[5.0, 5, 90, 90]]), np.array([0]), None, NAMES)
    np.testing.assert_array_equal(image, before)
    assert after.shape == image.shape
    assert (after != image).any()


@pytest.mark.parametrize("index", range(9))
@pytest.mark.parametrize("kind", [0, 2])
def test_labels_stay_inside_the_picture(monkeypatch, index, kind):
    x, y = index % 3 * 60.0, index // 3 * 60.0
    boxes = np.array([[x - 30, y - 30, x + 20, y + 20]])
    rectangles = []
    original = draw._draw_label

    def label(canvas, text, box, fill, labels):
        original(canvas, text, box, fill, labels)
        rectangles.extend((labels[-1], canvas.shape[:2]))

    monkeypatch.setattr(draw, "_draw_label", label)
    draw.draw_detections(GREY, boxes, np.array([kind]), np.array([0.5]), NAMES)
    (x1, y1, x2, y2), (height, width) = rectangles
    assert 0 <= x1 < x2 <= width
    assert 0 <= y1 < y2 <= height


def test_labels_of_equal_boxes_do_not_cover_each_other():
    labels = []
    canvas = np.full((480, 480, 3), 114, np.uint8)
    for _ in range(4):
        draw._draw_label(canvas, "square 0.50", np.array([100.0, 100, 300, 300]), (0,) * 3, labels)
    for i, a in enumerate(labels):
        assert all(draw._shared(a, b) == 0 for b in labels[:i])


def test_score_is_shown_only_where_there_is_one(monkeypatch):
    texts = only_labels(monkeypatch)
    box, kind = np.array([[10.0, 20, 60, 100]]), np.array([1])
    draw.draw_detections(GREY, box, kind, np.array([0.876]), NAMES)
    draw.draw_detections(GREY, box, kind, None, NAMES)
    assert texts == ["square 0.88", "square"]


def test_no_boxes_and_boxes_from_a_diverged_model_are_drawn_around():
    image = np.full((480, 480, 3), 114, np.uint8)
    empty = draw.draw_detections(image, np.zeros((0, 4)), np.zeros(0, int), np.zeros(0), NAMES)
    np.testing.assert_array_equal(empty, image)
    wild = np.array([[np.nan] * 4, [-1e30, -1e30, 1e30, 1e30], [np.inf] * 4])
    after = draw.draw_detections(image, wild, np.zeros(3, int), np.ones(3), NAMES)
    np.testing.assert_array_equal(after[100:400, 100:400], image[100:400, 100:400])


def evaluation():
    """Two images and a filler: an object found and one missed; a prediction of the wrong class."""
    boxes = np.array([[[10, 10, 50, 50], [60, 60, 90, 90]]] * 3, np.float32)
    predictions = Detections(
        boxes=np.array([[[11, 10, 50, 50], [0, 0, 9, 9]], [[10, 10, 50, 50], [0, 0, 9, 9]]] * 2),
        scores=np.array([[0.9, 0.1], [0.8, 0.9], [0.9, 0.9], [0, 0]]),
        classes=np.array([[0, 0], [1, 0], [0, 0], [0, 0]]),
        valid=np.array([[True, True], [True, False], [True, True], [False, False]]),
    )
    predictions = Detections(*(array[:3] for array in predictions))
    batch = {
        "image": np.full((3, 96, 96, 3), 114, np.uint8),
        "boxes": boxes,
        "classes": np.array([[0, 1]] * 3, np.int32),
        "valid": np.array([[True, True], [True, False], [True, True]]),
        "index": np.array([7, 8, 0], np.int32),
        "mask": np.array([True, True, False]),
    }
    return predictions, batch


def test_sheet_says_what_was_found_and_what_was_missed(monkeypatch):
    texts = only_labels(monkeypatch)
    image = draw.detection_sheet(*evaluation(), NAMES)
    assert image.dtype == np.uint8
    assert texts[:9] == [
        "circle 0.90",
        "missed square",
        "#7",
        "objects 2, missed 1, predictions 1",
        "square 0.80",
        "missed circle",
        "#8",
        "objects 1, missed 1, predictions 1",
        "ground truth",
    ]


def test_sheet_shows_the_first_images_up_to_the_limit(monkeypatch):
    texts = only_labels(monkeypatch)
    one = draw.detection_sheet(*evaluation(), NAMES, limit=1)
    assert "#8" not in texts
    assert draw.detection_sheet(*evaluation(), NAMES).shape[1] > one.shape[1]


def test_sheet_does_not_call_a_crowd_missed(monkeypatch):
    predictions, batch = evaluation()
    batch["crowd"] = np.array([[False, True]] * 3)
    texts = only_labels(monkeypatch)
    draw.detection_sheet(predictions, batch, NAMES)
    assert "missed square" not in texts


def test_report_is_the_sheet():
    class Evaluation:
        metric = None
        predictions, batch = evaluation()

    found = draw.detection_report(Evaluation(), NAMES)
    assert list(found.lines) == []
    expected = draw.detection_sheet(*evaluation(), NAMES)
    np.testing.assert_array_equal(found.pictures["predictions"], expected)


def test_sheet_of_no_images_is_an_error():
    predictions, batch = evaluation()
    batch["mask"][:] = False
    with pytest.raises(ValueError, match="an image whose mask is True"):
        draw.detection_sheet(predictions, batch, NAMES)


def test_contact_sheet_places_images_row_by_row():
    images = [np.full((4, 6, 3), i + 100, np.uint8) for i in range(5)]
    images[1] = np.full((3, 2, 3), 101, np.uint8)
    found = sheet.contact_sheet(images, 2, gap=1, background=(0, 0, 0))
    assert found.shape == (3 * 5 + 1, 2 * 7 + 1, 3)
    assert [found[1 + 5 * (i // 2), 1 + 7 * (i % 2), 0] for i in range(5)] == list(range(100, 105))
    assert (found[0] == 0).all()
    assert (found[1:5, 10:] == 0).all()
    with pytest.raises(ValueError, match="got 0 images"):
        sheet.contact_sheet([], 2)
