"""Every case with weights is of a network that `pretrained.load` knows."""

import fill
import numpy as np
import pytest
from case_names import NAMES, STACKS

from jaxvision.pretrained.families import family

CASES = sorted(path.stem for path in fill.HERE.glob("*.npz"))


@pytest.mark.parametrize("name", CASES)
def test_weights_of_a_case_are_of_a_known_network(name):
    with np.load(fill.HERE / f"{name}.npz") as arrays:
        if "spec_json" not in arrays.files or name in STACKS:
            return
    if fill.load_case(name)["spec"]:
        ours = NAMES.get(name, name)
        assert ours in family(ours).names
