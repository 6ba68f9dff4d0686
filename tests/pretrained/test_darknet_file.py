"""Darknet's `.weights` files."""

import struct

import fill
import jax
import numpy as np
import pytest
from reference import state_of

from jaxvision import pretrained
from jaxvision.pretrained.darknet_file import to_darknet

NAME = "yolov4_tiny"


@pytest.fixture(scope="module")
def case():
    """The state of a case, in the order in which Darknet writes it."""
    return state_of(fill.load_case(NAME))


HEADER = struct.pack("<iiiq", 0, 2, 0, 32_013_312)


def written(path, state, header=HEADER):
    path.write_bytes(header + b"".join(x.tobytes() for x in state.values()))
    return path


@pytest.mark.parametrize(
    "header",
    [struct.pack("<iiiq", 0, 2, 5, 2**40), struct.pack("<iiii", 0, 1, 0, 64)],
    ids=["0.2", "0.1"],
)
def test_file_of_the_reference_gives_the_same_variables_and_is_written_back(tmp_path, case, header):
    path = written(tmp_path / "net.weights", case, header)
    model, variables = pretrained.load(NAME, path)
    assert model.num_classes == 80
    jax.tree.map(np.testing.assert_array_equal, variables, pretrained.load(NAME, case)[1])
    found = to_darknet(pretrained.export(NAME, variables))
    assert found[20:] == path.read_bytes()[len(header) :]


def test_number_of_classes_follows_from_the_length(tmp_path, case):
    state = dict(case)
    for layer in (29, 36):
        for part in ("bias", "weight"):
            key = f"layer{layer}.conv.{part}"
            state[key] = state[key][: 3 * (5 + 7)]
    assert pretrained.load(NAME, written(tmp_path / "net.weights", state))[0].num_classes == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:10], "is no Darknet file: it has 10 bytes"),
        (lambda data: data[:-3], "does not end with a whole float32"),
        (lambda data: data[:-40], "they are of another variant"),
        (lambda data: data[:200], "they are of another variant"),
        (lambda data: b"PK\x03\x04" * 8 + data, "is no Darknet file: its version would be"),
    ],
)
def test_other_files_are_refused(tmp_path, case, change, message):
    path = written(tmp_path / "net.weights", case)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=f"net.weights.*{message}"):
        pretrained.load(NAME, path)


def test_missing_file_and_a_network_that_is_not_darknets(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        pretrained.load(NAME, tmp_path / "none.weights")
    with pytest.raises(ValueError, match=r"expected a .safetensors, .pth"):
        pretrained.load("yolox_nano", tmp_path / "none.weights")
