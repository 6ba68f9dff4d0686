"""Weights of another variant of a detector are refused, with the names that do not fit."""

import fill
import numpy as np
import pytest

from jaxvision import pretrained


@pytest.mark.parametrize(
    ("variant", "case", "message"),
    [
        ("yolov5s", "yolov5n", r"of another shape:\n  model.0.bn.bias: expected \(32,\), got"),
        ("yolov4_tiny", "yolov3_tiny", r"missing in the weights:\n  layer1.bn.bias \(our"),
    ],
)
def test_weights_of_another_variant_are_refused(tmp_path, variant, case, message):
    path = tmp_path / "weights.npz"
    np.savez(path, **fill.fill_state(fill.load_case(case)["spec"]))
    with pytest.raises(ValueError, match=f"the weights do not fit the model\n{message}"):
        pretrained.load(variant, path)
