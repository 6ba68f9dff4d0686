import json

import cv2
import numpy as np
import pytest
from coloured import classifier

from jaxvision.data.augment.fixed_crop import CenterCrop
from jaxvision.inference.classifier import Classifier


def picture(red, green, blue, size=(20, 12)):
    return np.full((*size, 3), (red, green, blue), np.uint8)


def test_probabilities_and_names():
    found = classifier()(picture(0, 255, 127))
    logits = 3 * (np.array([0, 255, 127]) / 255 - 0.5) / 0.5
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-5)
    assert (found.name, found.names, found.size) == ("grün", ["grün"], (20, 12))
    assert [name for name, _ in found.top(2)] == ["grün", "blau"]
    assert found.top(2)[0][1] == pytest.approx(expected[1])


def test_multi_label_has_all_probable_names_or_none():
    model = classifier(multi_label=True, loss_name="binary_cross_entropy")
    assert model(picture(200, 255, 0)).names == ["grün", "rot"]
    assert model(picture(0, 9, 0)).names == []
    assert model(picture(0, 9, 0)).name == "grün"


def test_list_and_folder(tmp_path):
    for name, colour in (("a", (255, 0, 0)), ("b", (0, 0, 255))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture(*colour)[..., ::-1])
    model = classifier()
    assert [one.name for one in model(tmp_path)] == ["rot", "blau"]
    assert [one.name for one in model([picture(0, 9, 0), tmp_path / "b.png"])] == ["grün", "blau"]
    assert model(tmp_path / "a.png").name == "rot"


def test_result_is_a_picture_and_json():
    found = classifier()(picture(0, 255, 127))
    image = found.plot()
    assert image.dtype == np.uint8 and image.shape[2] == 3 and image.std() > 10
    result = json.loads(json.dumps(found.to_dict(2)))
    assert [one["name"] for one in result.pop("classes")] == ["grün", "blau"]
    assert result == {"image": None, "height": 20, "width": 12, "names": ["grün"]}


def test_wrong_batch_size():
    model = classifier()
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        Classifier(model.task, {"params": {}}, CenterCrop((8, 8)), batch_size=0)
