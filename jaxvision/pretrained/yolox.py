"""YOLOX weights of the authors, https://github.com/Megvii-BaseDetection/YOLOX: the name table."""

import re
from collections.abc import Mapping

import numpy as np

from jaxvision.models.detection.yolox import VARIANTS, YOLOX, yolox

NAMES = VARIANTS

# Our name on the left, theirs on the right, applied in this order.
_COMMON = (
    (r"/(conv|depthwise)/kernel$", r"/\1/weight"),
    (r"norm/scale$", "norm/weight"),
    (r"norm/(mean|var)$", r"norm/running_\1"),
    (r"/depthwise/", "/dconv/conv/"),
    (r"/depthwise_norm/", "/dconv/bn/"),
    (r"/pointwise/", "/pconv/"),
    (r"/norm/", "/bn/"),
    (r"^backbone/", "backbone/backbone/"),
    (r"^neck/", "backbone/"),
    (r"^head/stride(8|16|32)_(\w+)/", lambda m: f"head/{_head(m[2], _LEVEL[m[1]])}/"),
    (r"/kernel$", "/weight"),
)
_CSP_DARKNET = (
    (r"/stem/", "/stem/conv/"),
    (r"/stage(\d)_downsample/", r"/dark\1/0/"),
    (r"/stage5_spp/reduce/", "/dark5/1/conv1/"),
    (r"/stage5_spp/expand/", "/dark5/1/conv2/"),
    (r"/stage5_csp/", "/dark5/2/"),
    (r"/stage(\d)_csp/", r"/dark\1/1/"),
    (r"/lateral5/", "/lateral_conv0/"),
    (r"/lateral4/", "/reduce_conv1/"),
    (r"/top_down(\d)/", r"/C3_p\1/"),
    (r"/downsample3/", "/bu_conv2/"),
    (r"/downsample4/", "/bu_conv1/"),
    (r"/bottom_up4/", "/C3_n3/"),
    (r"/bottom_up5/", "/C3_n4/"),
    (r"/main/", "/conv1/"),
    (r"/bypass/", "/conv2/"),
    (r"/fuse/", "/conv3/"),
    (r"/bottleneck(\d+)/", lambda m: f"/m/{int(m[1]) - 1}/"),
    (r"/reduce/", "/conv1/"),
    (r"/spatial/", "/conv2/"),
)
_DARKNET53 = (
    (r"/stem/", "/stem/0/"),
    (r"/stage1_downsample/", "/stem/1/"),
    (r"/stage1_block1/", "/stem/2/"),
    (r"/stage(\d)_downsample/", r"/dark\1/0/"),
    (r"/stage(\d)_block(\d)/", r"/dark\1/\2/"),
    (r"/spp_conv1/", "/dark5/5/"),
    (r"/spp_conv2/", "/dark5/6/"),
    (r"/spp/reduce/", "/dark5/7/conv1/"),
    (r"/spp/expand/", "/dark5/7/conv2/"),
    (r"/spp_conv3/", "/dark5/8/"),
    (r"/spp_conv4/", "/dark5/9/"),
    (r"/reduce/", "/layer1/"),
    (r"/spatial/", "/layer2/"),
    (r"/lateral4/", "/out1_cbl/"),
    (r"/lateral3/", "/out2_cbl/"),
    (r"/top_down4_conv(\d)/", lambda m: f"/out1/{int(m[1]) - 1}/"),
    (r"/top_down3_conv(\d)/", lambda m: f"/out2/{int(m[1]) - 1}/"),
)
_LEVEL = {"8": 0, "16": 1, "32": 2}


def _head(part: str, level: int) -> str:
    branch, _, conv = part.partition("_conv")
    if conv:
        return f"{'cls' if branch == 'class' else 'reg'}_convs/{level}/{int(conv) - 1}"
    if part == "stem":
        return f"stems/{level}"
    return {"box": "reg", "objectness": "obj", "class": "cls"}[part] + f"_preds/{level}"


def build(name: str, state: Mapping[str, np.ndarray]) -> YOLOX:
    """Builds the variant with as many classes as the weights have."""
    bias = state.get("head.cls_preds.0.bias")
    return yolox(name, num_classes=80 if bias is None else len(bias))


def reference_name(name: str, path: str) -> str:
    """Translates a variable's path, `backbone/stem/conv/kernel`, to the reference's name of it."""
    table = _DARKNET53 if VARIANTS[name].get("darknet53") else _CSP_DARKNET
    for pattern, replacement in (*_COMMON, *table):
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")


def adapt(name: str, path: str, value: np.ndarray) -> np.ndarray:
    """Turns the stem's input channels from the reference's BGR to RGB.

    Args:
        name: Variant.
        path: Path of the variable.
        value: The variable in our layout; the stem's kernel is [3, 3, 3 * P, C] for P pixels a
            patch.
    """
    if path != "backbone/stem/conv/kernel":
        return value
    height, width, _, features = value.shape
    by_pixel = value.reshape(height, width, -1, 3, features)
    return by_pixel[:, :, :, ::-1].reshape(value.shape)
