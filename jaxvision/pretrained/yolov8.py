"""YOLOv8 weights of the authors' releases, https://github.com/ultralytics/assets."""

import numpy as np

from jaxvision.models.detection.yolov8 import BINS, VARIANTS, YOLOv8, yolov8
from jaxvision.pretrained.family import Family, Source, State, Weights
from jaxvision.pretrained.names import TORCH_LEAVES, Rules
from jaxvision.pretrained.yolov5 import CSP_DARKNET

_RULES: Rules = (
    *CSP_DARKNET,
    ("^neck/top_down4/", "model/12/"),
    ("^neck/top_down3/", "model/15/"),
    ("^neck/downsample3/", "model/16/"),
    ("^neck/bottom_up4/", "model/18/"),
    ("^neck/downsample4/", "model/19/"),
    ("^neck/bottom_up5/", "model/21/"),
    ("^head/stride8_", "head/0_"),
    ("^head/stride16_", "head/1_"),
    ("^head/stride32_", "head/2_"),
    ("^head/{level}_box_conv{number}/", "model/22/cv2/{level}/{number-1}/"),
    ("^head/{level}_class_conv{number}/", "model/22/cv3/{level}/{number-1}/"),
    ("^head/{level}_box/", "model/22/cv2/{level}/2/"),
    ("^head/{level}_class/", "model/22/cv3/{level}/2/"),
    ("/split/", "/cv1/"),
    ("/fuse/", "/cv2/"),
    *TORCH_LEAVES,
)
# The distances that the bins stand for, 0 to 15, which the authors keep as a convolution.
DISTANCES = "model.22.dfl.conv.weight"


def _without_distances(state: State) -> State:
    return {name: value for name, value in state.items() if name != DISTANCES}


def _with_distances(state: State) -> State:
    return {**state, DISTANCES: np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1)}


AUTHORS = Source("authors", _RULES, unpack=_without_distances, pack=_with_distances)


def build(name: str, weights: Weights) -> YOLOv8:
    """Builds the variant with as many classes as the weights have."""
    return yolov8(name, num_classes=weights.size("head/stride8_class/bias", 80))


FAMILY = Family(VARIANTS, lambda name: (AUTHORS,), build)
