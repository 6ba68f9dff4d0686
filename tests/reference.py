"""What tests against a reference implementation's stored results need."""

import json

import fill
import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange

from jaxvision import pretrained
from jaxvision.ops.boxes import cxcywh_to_xyxy
from jaxvision.ops.objects import Objects

# Of the largest value of an array: forward passes, and losses, gradients and statistics.
FORWARD, TRAINING = 1e-4, 1e-3


def assert_agrees(ours, theirs, bound):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= bound * np.abs(theirs).max()


def state_of(case):
    """Fills the reference's names; some last layers are scaled, so that results are varied."""
    state = fill.fill_state(case["spec"])
    scales = json.loads(bytes(case["scale_json"]).decode()) if "scale_json" in case else {}
    return state | {name: state[name] * a + b for name, (a, b) in scales.items()}


def images_of(case):
    """Returns the network's input [B, H, W, 3]."""
    seed, scale = int(case["input_seed"]), float(case.get("input_scale", 1))
    return fill.image_batch(tuple(case["input_shape"]), seed, scale).transpose(0, 2, 3, 1)


def objects_of(labels, batch, height, width):
    """Pads rows (image, class, cx, cy, w, h as fractions) to Objects [B, N]."""
    per_image = [labels[labels[:, 0] == i] for i in range(batch)]
    count = max(map(len, per_image))
    boxes = np.zeros((batch, count, 4), np.float32)
    classes, valid = np.zeros((batch, count), np.int32), np.zeros((batch, count), bool)
    for i, rows in enumerate(per_image):
        scaled = rows[:, 2:] * np.array([width, height] * 2, np.float32)
        boxes[i, : len(rows)] = cxcywh_to_xyxy(jnp.asarray(scaled))
        classes[i, : len(rows)] = rows[:, 1]
        valid[i, : len(rows)] = True
    return Objects(boxes, classes, valid)


def raw(output):
    """Joins a detector's output to [B, A, 5 + K]: box, objectness, classes."""
    parts = [output.box_regression, output.objectness[..., None], output.class_logits]
    return np.concatenate(parts, axis=-1)


def anchors_first(x, level):
    """Takes a map's [B, A, C], the anchors of a cell last, to [B, anchors, H, W, C]."""
    pattern = "b (h w a) c -> b a h w c"
    part = np.asarray(x)[:, level.anchors]
    return rearrange(part, pattern, h=level.rows, w=level.columns, a=len(level.sizes))


def count(tree):
    return sum(x.size for x in jax.tree.leaves(tree))


def classes_of(case):
    """Returns the classes [B, N] of a case whose 0 is the background, and `valid` [B, N]."""
    valid = np.arange(case["gt_boxes"].shape[1])[None] < case["gt_count"][:, None]
    return np.where(valid, case["gt_labels"].astype(np.int32) - 1, 0), valid


def gradients_that_agree(case, name, grads, state):
    """Compares gradients, under the reference's names, with a case's; returns how many it has."""
    exported = pretrained.export(name, {"params": grads, **state})
    names = [key for key in case if key.startswith("grad:")]
    for key in names:
        assert_agrees(exported[key.removeprefix("grad:")], case[key], TRAINING)
    return len(names)
