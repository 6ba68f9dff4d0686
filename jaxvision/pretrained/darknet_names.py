"""Names of Darknet's layers: `layer{i}` is the i-th section of a .cfg file after `[net]`.

A `.weights` file has no names: it holds the numbers of the layers in their order, of each the bias,
the scale, mean and variance of a normalised one, and the kernel.
"""

import functools
from typing import Any

import jax
import numpy as np

from jaxvision.models.detection import yolov1, yolov2, yolov3, yolov4
from jaxvision.pretrained.darknet_file import read_darknet
from jaxvision.pretrained.family import Family, Source, State, Weights, variable_shapes
from jaxvision.pretrained.layout import SWAPPED_HALVES, TORCH, flattened
from jaxvision.pretrained.names import Rules
from jaxvision.pretrained.variables import to_state

_LEAVES: Rules = (
    ("/predict/", "/conv/"),
    ("/norm/", "/bn/"),
    ("/(?:kernel|scale)$", "/weight"),
    ("/{part:mean|var}$", "/running_{part}"),
)
_TINY_BACKBONE: Rules = (("^backbone/conv{number}/", "layer{2*number-2}/"),)
_DARKNET19: Rules = (
    ("^backbone/stem/", "layer0/"),
    ("^backbone/stage1_conv1/", "layer2/"),
    ("^backbone/stage2_conv{number}/", "layer{number+3}/"),
    ("^backbone/stage3_conv{number}/", "layer{number+7}/"),
    ("^backbone/stage4_conv{number}/", "layer{number+11}/"),
    ("^backbone/stage5_conv{number}/", "layer{number+17}/"),
)
_YOLOV1_TINY: Rules = (
    ("^conv8/", "layer13/"),
    ("^conv{number}/", "layer{2*number-2}/"),
    ("^predict/", "layer14/fc/"),
)
# The paper's network, whose file the authors do not share: named as PyTorch would.
_YOLOV1: Rules = (
    ("^conv{number}/", "conv/{number-1}/"),
    ("^hidden/", "fc/0/"),
    ("^predict/", "fc/1/"),
)
_YOLOV2: Rules = (
    *_DARKNET19,
    ("^head_conv1/", "layer23/"),
    ("^head_conv2/", "layer24/"),
    ("^passthrough/", "layer26/"),
    ("^head_conv3/", "layer29/"),
    ("^head_predict/", "layer30/predict/"),
)
_YOLOV2_TINY: Rules = (
    *_TINY_BACKBONE,
    ("^head_conv1/", "layer13/"),
    ("^head_predict/", "layer14/predict/"),
)


def _residual(stage: int, first: int) -> Rules:
    """Rows of a stage of Darknet-53 whose strided convolution is layer `first`."""
    return (
        (f"^backbone/stage{stage}_downsample/", f"layer{first}/"),
        (f"^backbone/stage{stage}_block{{block}}/reduce/", f"layer{{3*block{first - 2:+d}}}/"),
        (f"^backbone/stage{stage}_block{{block}}/spatial/", f"layer{{3*block{first - 1:+d}}}/"),
    )


_DARKNET53: Rules = (
    ("^backbone/stem/", "layer0/"),
    *_residual(1, 1),
    *_residual(2, 5),
    *_residual(3, 12),
    *_residual(4, 37),
    *_residual(5, 62),
)
_YOLOV3: Rules = (
    *_DARKNET53,
    ("^head/stride32_conv{number}/", "layer{number+74}/"),
    ("^head/stride32_spatial/", "layer80/"),
    ("^head/stride32_predict/", "layer81/predict/"),
    ("^head/stride16_lateral/", "layer84/"),
    ("^head/stride16_conv{number}/", "layer{number+86}/"),
    ("^head/stride16_spatial/", "layer92/"),
    ("^head/stride16_predict/", "layer93/predict/"),
    ("^head/stride8_lateral/", "layer96/"),
    ("^head/stride8_conv{number}/", "layer{number+98}/"),
    ("^head/stride8_spatial/", "layer104/"),
    ("^head/stride8_predict/", "layer105/predict/"),
)
_YOLOV3_SPP: Rules = (
    *_DARKNET53,
    ("^head/stride32_conv{number:[123]}/", "layer{number+74}/"),
    ("^head/stride32_conv{number}/", "layer{number+80}/"),
    ("^head/stride32_spatial/", "layer87/"),
    ("^head/stride32_predict/", "layer88/predict/"),
    ("^head/stride16_lateral/", "layer91/"),
    ("^head/stride16_conv{number}/", "layer{number+93}/"),
    ("^head/stride16_spatial/", "layer99/"),
    ("^head/stride16_predict/", "layer100/predict/"),
    ("^head/stride8_lateral/", "layer103/"),
    ("^head/stride8_conv{number}/", "layer{number+105}/"),
    ("^head/stride8_spatial/", "layer111/"),
    ("^head/stride8_predict/", "layer112/predict/"),
)
_YOLOV3_TINY: Rules = (
    *_TINY_BACKBONE,
    ("^head/stride32_conv1/", "layer13/"),
    ("^head/stride32_spatial/", "layer14/"),
    ("^head/stride32_predict/", "layer15/predict/"),
    ("^head/stride16_lateral/", "layer18/"),
    ("^head/stride16_spatial/", "layer21/"),
    ("^head/stride16_predict/", "layer22/predict/"),
)
_YOLOV4_TINY: Rules = (
    ("^backbone/stem1/", "layer0/"),
    ("^backbone/stem2/", "layer1/"),
    ("^backbone/block{block}/spatial/", "layer{8*block-6}/"),
    ("^backbone/block{block}/half1/", "layer{8*block-4}/"),
    ("^backbone/block{block}/half2/", "layer{8*block-3}/"),
    ("^backbone/block{block}/fuse/", "layer{8*block-1}/"),
    ("^backbone/last/", "layer26/"),
    ("^head/stride32_conv1/", "layer27/"),
    ("^head/stride32_spatial/", "layer28/"),
    ("^head/stride32_predict/", "layer29/predict/"),
    ("^head/stride16_lateral/", "layer32/"),
    ("^head/stride16_spatial/", "layer35/"),
    ("^head/stride16_predict/", "layer36/predict/"),
)
# First layer and residual blocks of the stages of YOLOv4's backbone.
_CSP_STAGES = ((1, 1), (11, 2), (24, 8), (55, 8), (86, 4))


def _csp_stage(stage: int, first: int, depth: int) -> Rules:
    last = first + 3 * depth + 4
    path = f"^backbone/stage{stage}/"
    return (
        (f"{path}downsample/", f"layer{first}/"),
        (f"{path}split/", f"split{first + 1}/"),
        (f"{path}block{{block}}/reduce/", f"layer{{3*block{first + 1:+d}}}/"),
        (f"{path}block{{block}}/spatial/", f"layer{{3*block{first + 2:+d}}}/"),
        (f"{path}main/", f"layer{last}/"),
        (f"{path}fuse/", f"layer{last + 2}/"),
    )


_YOLOV4: Rules = (
    ("^backbone/stem/", "layer0/"),
    *(row for i, stage in enumerate(_CSP_STAGES, start=1) for row in _csp_stage(i, *stage)),
    ("^head/before_pooling_conv{number}/", "layer{number+104}/"),
    ("^head/after_pooling_conv{number}/", "layer{number+113}/"),
    ("^head/top_down16_coarse/", "layer117/"),
    ("^head/top_down16_fine/", "layer120/"),
    ("^head/top_down16_conv{number}/", "layer{number+121}/"),
    ("^head/top_down8_coarse/", "layer127/"),
    ("^head/top_down8_fine/", "layer130/"),
    ("^head/top_down8_conv{number}/", "layer{number+131}/"),
    ("^head/stride8_spatial/", "layer137/"),
    ("^head/stride8_predict/", "layer138/predict/"),
    ("^head/bottom_up16_downsample/", "layer141/"),
    ("^head/bottom_up16_conv{number}/", "layer{number+142}/"),
    ("^head/stride16_spatial/", "layer148/"),
    ("^head/stride16_predict/", "layer149/predict/"),
    ("^head/bottom_up32_downsample/", "layer152/"),
    ("^head/bottom_up32_conv{number}/", "layer{number+153}/"),
    ("^head/stride32_spatial/", "layer159/"),
    ("^head/stride32_predict/", "layer160/predict/"),
)
_PARTS = ("bn.bias", "bn.weight", "bn.running_mean", "bn.running_var", "conv.weight")


def _join_splits(state: State) -> State:
    """Joins the two convolutions at the start of each stage, which are one of ours."""
    joined = dict(state)
    for first, _ in _CSP_STAGES:
        for part in _PARTS:
            names = [f"layer{first + 1}.{part}", f"layer{first + 3}.{part}"]
            if all(name in joined for name in names):
                halves = [joined.pop(name) for name in names]
                joined[f"split{first + 1}.{part}"] = np.concatenate(halves)
    return joined


def _part_splits(state: State) -> State:
    parted = dict(state)
    for first, _ in _CSP_STAGES:
        for part in _PARTS:
            if (both := parted.pop(f"split{first + 1}.{part}", None)) is not None:
                names = (f"layer{first + 1}.{part}", f"layer{first + 3}.{part}")
                parted |= zip(names, np.split(both, 2), strict=True)
    return parted


def _source(rules: Rules) -> Source:
    return Source("darknet", (*rules, *_LEAVES))


SOURCES = {
    "yolov1": Source(
        "paper", (*_YOLOV1, *_LEAVES), layouts=(("hidden/kernel", flattened(side=7)),)
    ),
    "yolov1_tiny": Source(
        "darknet", (*_YOLOV1_TINY, *_LEAVES), layouts=(("predict/kernel", flattened(side=7)),)
    ),
    "yolov2": _source(_YOLOV2),
    "yolov2_tiny": _source(_YOLOV2_TINY),
    "yolov2_tiny_coco": _source(_YOLOV2_TINY),
    "yolov3": _source(_YOLOV3),
    "yolov3_spp": _source(_YOLOV3_SPP),
    "yolov3_tiny": _source(_YOLOV3_TINY),
    "yolov4": Source(
        "darknet",
        (*_YOLOV4, *_LEAVES),
        # The authors concatenate the main branch and the bypass, we the bypass and the main branch.
        layouts=(("backbone/stage./fuse/conv/kernel", TORCH.then(SWAPPED_HALVES)),),
        unpack=_join_splits,
        pack=_part_splits,
    ),
    "yolov4_tiny": _source(_YOLOV4_TINY),
}
# The bias of the first prediction, whose length tells the number of classes.
_PREDICTION = {
    name: "head_predict/bias" if name in yolov2.VARIANTS else "head/stride32_predict/bias"
    for name in SOURCES
    if name not in yolov1.VARIANTS
}


def _build(build: Any, name: str, weights: Weights) -> Any:
    """Builds the variant with as many classes as the weights have."""
    model = build(name, num_classes=80)
    outputs = weights.size(_PREDICTION[name], model.anchors_per_cell * 85)
    return build(name, num_classes=outputs // model.anchors_per_cell - 5)


def _build_yolov1(name: str, weights: Weights) -> Any:
    """Builds the variant with as many classes as the weights have, for a grid of 7 x 7 cells."""
    model = yolov1.yolov1(name, num_classes=20)
    outputs = weights.size("predict/bias", 49 * (20 + 5 * model.boxes))
    return yolov1.yolov1(name, num_classes=outputs // 49 - 5 * model.boxes)


def _shapes(build: Any, name: str, num_classes: int) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of Darknet's tensors of a variant, by name."""
    side = 448 if name in yolov1.VARIANTS else 64
    images = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
    model = build(name, num_classes=num_classes)
    variables = variable_shapes(model, (images,))
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, np.float32), variables)
    source = SOURCES[name]
    state = source.pack(to_state(zeros, source))
    return {k: v.shape for k, v in state.items() if not k.endswith("num_batches_tracked")}


def _read_weights(build: Any, name: str, path: str) -> State:
    return read_darknet(path, functools.partial(_shapes, build, name))


def _family(module: Any, build: Any) -> Family:
    return Family(
        module.VARIANTS,
        lambda name: (SOURCES[name],),
        functools.partial(_build, build),
        read_file={".weights": functools.partial(_read_weights, build)},
    )


FAMILIES = (
    Family(
        # The smallest is ours alone.
        {name: row for name, row in yolov1.VARIANTS.items() if name in SOURCES},
        lambda name: (SOURCES[name],),
        _build_yolov1,
        image_side=448,
        read_file={".weights": functools.partial(_read_weights, yolov1.yolov1)},
    ),
    _family(yolov2, yolov2.yolov2),
    _family(yolov3, yolov3.yolov3),
    _family(yolov4, yolov4.yolov4),
)
