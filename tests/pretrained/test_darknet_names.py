"""Maps of Darknet in C, through the importer of its weights."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick
from einops import rearrange
from reference import FORWARD, anchors_first, assert_agrees, count, images_of, raw, state_of

from jaxvision import models, pretrained
from jaxvision.models.detection import yolov1, yolov2, yolov3, yolov4
from jaxvision.ops.boxes import xyxy_to_cxcywh
from jaxvision.ops.grid_anchors import grid_anchors
from jaxvision.ops.grid_boxes import decode

VOC = (
    (1.3221, 1.73145),
    (3.19275, 4.00944),
    (5.05587, 8.09892),
    (9.47112, 4.84053),
    (11.2364, 10.0071),
)
TINY_VOC = ((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52))
V3 = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
V4 = (
    ((12, 16), (19, 36), (40, 28)),
    ((36, 75), (76, 55), (72, 146)),
    ((142, 110), (192, 243), (459, 401)),
)
TINY = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))
# Case: variant, strides and anchors in pixels of the maps in our order, ranges of centres, and the
# reference's number of each map.
CASES = {
    "yolov2_voc": ("yolov2", (32,), [np.multiply(VOC, 32)], (1.0,), (0,)),
    "yolov2_tiny_voc": ("yolov2_tiny", (32,), [np.multiply(TINY_VOC, 32)], (1.0,), (0,)),
    "yolov3": ("yolov3", (8, 16, 32), V3, (1.0, 1.0, 1.0), (2, 1, 0)),
    "yolov3_tiny": ("yolov3_tiny", (16, 32), (TINY[:3], TINY[3:]), (1.0, 1.0), (1, 0)),
    "yolov4": ("yolov4", (8, 16, 32), V4, (1.2, 1.1, 1.05), (0, 1, 2)),
    "yolov4_tiny": ("yolov4_tiny", (16, 32), (TINY[1:4], TINY[3:]), (1.05, 1.05), (1, 0)),
}


@pytest.fixture(scope="module", params=quick(CASES, "yolov2_voc", "yolov3_tiny", "yolov4_tiny"))
def case(request):
    return request.param, fill.load_case(request.param)


def test_maps_and_boxes_match_reference(case):
    name, data = case
    variant, strides, sizes, scales, numbers = CASES[name]
    state = state_of(data)
    model, variables = pretrained.load(variant, state, image_std=(1.0,) * 3)
    assert count(variables["params"]) == data["num_params"]
    images = images_of(data)
    output = jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, images)
    height, width = images.shape[1:3]
    anchors = grid_anchors(height, width, strides, sizes)
    boxes = np.asarray(xyxy_to_cxcywh(decode(output.box_regression, anchors, scales)))
    boxes = boxes / np.array([width, height] * 2, np.float32)
    for level, number in zip(anchors.levels, numbers, strict=True):
        ours = rearrange(anchors_first(raw(output), level), "b a h w c -> b (a c) h w")
        assert_agrees(ours, data[f"raw{number}"], FORWARD)
        assert_agrees(anchors_first(boxes, level), data[f"boxes{number}"], FORWARD)
    exported = pretrained.export(variant, variables)
    exported = {k: v for k, v in exported.items() if not k.endswith("num_batches_tracked")}
    assert exported.keys() == state.keys()
    for key, value in state.items():
        np.testing.assert_array_equal(exported[key], value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["yolov1_tiny", "yolov1"])
def test_output_of_yolov1_matches_reference(name):
    data = fill.load_case(name)
    state = state_of(data)
    model, variables = pretrained.load(name, state, image_std=(1.0,) * 3)
    assert count(variables["params"]) == data["num_params"]
    output = jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, images_of(data))
    ours = [output.class_logits[:, ::2], output.objectness, output.box_regression]
    ours = np.concatenate([np.asarray(x).reshape(1, -1) for x in ours], axis=1)
    assert_agrees(ours, data["raw0" if name == "yolov1_tiny" else "output"], FORWARD)
    exported = pretrained.export(name, variables)
    exported = {k: v for k, v in exported.items() if not k.endswith("num_batches_tracked")}
    assert exported.keys() == state.keys()
    for key, value in state.items():
        np.testing.assert_array_equal(exported[key], value)


# From Darknet's own code; the networks of VOC with 20 classes, of COCO with 80.
COUNTS = {
    ("yolov1", 20): 271_703_550,
    ("yolov1_tiny", 20): 27_095_374,
    # Ours, by hand: convolutions, norms, and the layer from 7 x 7 x 32 to 7 x 7 x 30 numbers.
    ("yolov1_nano", 20): 3_947_440 + 2 * 1552 + 1568 * 1470 + 1470,
    ("yolov2", 20): 50_655_389,
    ("yolov2", 80): 50_962_889,
    ("yolov2_tiny", 20): 15_861_773,
    ("yolov2_tiny_coco", 80): 11_232_057,
    # Ours: backbone, head, prediction, norms.
    ("yolov2_nano", 20): 1_572_696 + 9 * 512**2 + 513 * 125 + 2 * 1528,
    ("yolov3", 80): 61_949_149,
    ("yolov3", 20): 61_626_049,
    ("yolov3_spp", 80): 62_998_749,
    ("yolov3_tiny", 80): 8_852_366,
    # Ours: backbone, convolutions and predictions of both maps, norms.
    ("yolov3_nano", 80): 1_572_696
    + (65_536 + 294_912 + 257 * 255)
    + (8192 + 221_184 + 129 * 255)
    + 2 * 1592,
    ("yolov4", 80): 64_363_101,
    ("yolov4_tiny", 80): 6_056_606,
}


def test_every_variant_has_a_count():
    names = {name for module in (yolov1, yolov2, yolov3, yolov4) for name in module.VARIANTS}
    assert {name for name, _ in COUNTS} == names


@pytest.mark.parametrize(("variant", "num_classes"), COUNTS)
def test_number_of_parameters_matches_reference(variant, num_classes):
    model = getattr(models, variant[:6])(variant, num_classes=num_classes)
    side = 7 * model.stride if variant.startswith("yolov1") else 64
    images = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    shapes = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)
    assert count(shapes["params"]) == COUNTS[variant, num_classes]
