import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from network import filled, shapes

from jaxvision import models
from jaxvision.models.backbones.swin import (
    PatchMerging,
    Swin,
    SwinBlock,
    relative_position_index,
    shift_mask,
)

# Compiles in a fraction of the time that the default's random numbers and optimisation take.
KEY = jax.random.key(3, impl="rbg")
QUICKLY = {"xla_backend_optimization_level": 0}

TINY = dict(width=8, depths=(2, 1), heads=(2, 4), window=3)


def block_variables(block, channels=8):
    template = jax.eval_shape(
        lambda: block.init(jax.random.key(0), jnp.zeros((1, 4, 4, channels)), train=False)
    )
    rng = np.random.default_rng(5)
    variables = filled(template)
    # Wide enough for offsets to matter.
    table = variables["params"]["relative_position_bias"]
    variables["params"]["relative_position_bias"] = rng.standard_normal(table.shape, np.float32)
    bias = variables["params"]["attention"]["qkv"]["bias"]
    variables["params"]["attention"]["qkv"]["bias"] = rng.standard_normal(bias.shape, np.float32)
    return variables


def test_index_of_a_pair_is_its_offset():
    window = 3
    index = relative_position_index(window)
    for query in range(9):
        for key in range(9):
            dy, dx = query // 3 - key // 3, query % 3 - key % 3
            assert index[query, key] == (dy + 2) * 5 + dx + 2


@pytest.mark.parametrize(
    ("height", "width", "shift"), [(6, 9, (1, 1)), (3, 6, (0, 1)), (6, 3, (1, 0)), (9, 9, (2, 2))]
)
def test_pixels_of_a_shifted_window_see_each_other_if_they_were_neighbours(height, width, shift):
    window = 3
    mask = shift_mask(height, width, window, shift)
    assert mask.shape == (height * width // 9, 9, 9)
    # Where each pixel of the rolled map came from, window by window.
    y, x = np.mgrid[:height, :width]
    y, x = (y + shift[0]) % height, (x + shift[1]) % width
    number = 0
    for top in range(0, height, window):
        for left in range(0, width, window):
            ys = y[top : top + window, left : left + window].ravel()
            xs = x[top : top + window, left : left + window].ravel()
            near = (abs(ys[:, None] - ys[None]) < window) & (abs(xs[:, None] - xs[None]) < window)
            np.testing.assert_array_equal(mask[number], near)
            number += 1


def test_windows_that_are_not_shifted_need_no_mask():
    assert shift_mask(6, 6, 3, (0, 0)) is None


def windows_of(side, window, shift):
    """Rows or columns of each window of a padded side, cut off at its edges."""
    padded = math.ceil(side / window) * window
    first = shift - window if padded > window and shift else 0
    spans = [range(max(i, 0), min(i + window, padded)) for i in range(first, padded, window)]
    return padded, spans


def reference_attention(params, x, heads, window, shift):
    """Attention of one map [H, W, C] within windows, pair by pair, float64."""
    p = jax.tree.map(lambda v: np.asarray(v, np.float64), params)
    height, width, channels = x.shape
    rows, row_spans = windows_of(height, window, shift)
    columns, column_spans = windows_of(width, window, shift)
    norm = p["attention_norm"]
    y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    y = y * norm["scale"][None, None] + norm["bias"][None, None]
    padded = np.zeros((rows, columns, channels))
    padded[:height, :width] = y
    qkv = padded @ p["attention"]["qkv"]["kernel"] + p["attention"]["qkv"]["bias"][None, None]
    qkv = qkv.reshape(rows, columns, 3, heads, channels // heads)
    table, output = p["relative_position_bias"], np.zeros((rows, columns, channels))
    for ys in row_spans:
        for xs in column_spans:
            pixels = [(i, j) for i in ys for j in xs]
            for i, j in pixels:
                joined = []
                for head in range(heads):
                    logits = []
                    for k, m in pixels:
                        product = qkv[i, j, 0, head] @ qkv[k, m, 1, head]
                        offset = (i - k + window - 1) * (2 * window - 1) + j - m + window - 1
                        logits.append(product / np.sqrt(channels // heads) + table[head, offset])
                    weights = np.exp(np.array(logits) - max(logits))
                    weights /= weights.sum()
                    values = np.stack([qkv[k, m, 2, head] for k, m in pixels])
                    joined.append(weights @ values)
                output[i, j] = np.concatenate(joined)
    out = p["attention"]["out"]
    return (output @ out["kernel"] + out["bias"][None, None])[:height, :width]


MAPS = [(6, 9), (7, 8), (3, 7), (2, 2)]


@pytest.mark.parametrize(("height", "width"), MAPS)
@pytest.mark.parametrize("shift", [0, 1])
def test_block_attends_within_its_windows_on_maps_of_any_size(height, width, shift):
    block = SwinBlock(heads=2, window=3, shift=shift)
    variables = block_variables(block)
    # A perceptron that adds nothing.
    project = variables["params"]["mlp"]["project"]
    project["kernel"] = 0 * project["kernel"]
    x = np.random.default_rng(1).standard_normal((2, height, width, 8), np.float32)
    run = jax.jit(lambda v, x: block.apply(v, x, train=False), compiler_options=QUICKLY)
    for ours, image in zip(run(variables, x), x.astype(np.float64), strict=True):
        expected = image + reference_attention(variables["params"], image, 2, 3, shift)
        np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(8, 9), (3, 8)])
def test_pixel_changes_those_of_its_own_region_alone(height, width):
    window, shift = 4, 2
    block = SwinBlock(heads=2, window=window, shift=shift)
    variables = block_variables(block)
    x = np.random.default_rng(1).standard_normal((1, height, width, 8), np.float32)
    pixels = height * width
    # One copy a pixel, in which that pixel is another.
    changed = x.repeat(pixels, axis=0).reshape(pixels, pixels, 8)
    changed[np.arange(pixels), np.arange(pixels)] *= -3
    batch = np.concatenate([x, changed.reshape(pixels, height, width, 8)])
    y = jax.jit(lambda v, x: block.apply(v, x, train=False), compiler_options=QUICKLY)(
        variables, batch
    )
    difference = np.abs(y[1:] - y[:1]).max(-1).reshape(pixels, pixels)

    def region(side):
        by = shift if side > window else 0
        return (np.arange(side) - by) // window

    rows, columns = np.meshgrid(region(height), region(width), indexing="ij")
    regions = (10 * rows + columns).ravel()
    same = regions[:, None] == regions[None]
    assert not same.all()
    assert difference[~same].max() < 1e-6
    assert difference[same].min() > 1e-5


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 3)])
def test_merging_joins_pixels_by_columns_and_pads_odd_sides(height, width):
    layer = PatchMerging()
    template = jax.eval_shape(lambda: layer.init(KEY, jnp.zeros((1, 4, 4, 3))))
    variables = filled(template)
    x = np.random.default_rng(1).standard_normal((1, height, width, 3), np.float32)
    y = layer.apply(variables, x)
    assert y.shape == (1, math.ceil(height / 2), math.ceil(width / 2), 6)
    padded = np.zeros((height + height % 2, width + width % 2, 3))
    padded[:height, :width] = x[0]
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            corners = [padded[2 * i + a, 2 * j + b] for b in (0, 1) for a in (0, 1)]
            joined = np.concatenate(corners)
            joined = (joined - joined.mean()) / np.sqrt(joined.var() + 1e-5)
            expected = joined @ variables["params"]["reduce"]["kernel"]
            np.testing.assert_allclose(y[0, i, j], expected, atol=1e-5)


def image_variables(model):
    return filled(shapes(model, 24, 16)[1])


@functools.partial(jax.jit, static_argnums=(0, 1), compiler_options=QUICKLY)
def features_of(model, train, variables, x):
    return model.apply(variables, x, train=train, rngs={"dropout": KEY})


def test_branches_are_dropped_in_training_alone():
    x = np.random.default_rng(1).standard_normal((2, 24, 16, 3), np.float32)
    model, plain = (Swin(**TINY, drop_path=rate) for rate in (0.999999, 0.0))
    variables = image_variables(model)
    evaluated = features_of(model, False, variables, x)
    expected = features_of(plain, False, variables, x)
    jax.tree.map(np.testing.assert_array_equal, evaluated, expected)
    trained = features_of(model, True, variables, x)
    assert np.abs(trained[8] - expected[8]).max() > 0.1


@pytest.mark.slow  # as in ViT, whose test is quick
def test_blocks_computed_anew_give_the_same_features_gradients_and_names():
    x = np.random.default_rng(1).standard_normal((2, 24, 16, 3), np.float32)

    @functools.partial(jax.jit, static_argnums=0, compiler_options=QUICKLY)
    def run(model, variables):
        def objective(variables):
            features = model.apply(variables, x, train=True)
            return (features[8] ** 3).sum(), features

        return jax.grad(objective, has_aux=True)(variables)

    model, plain = (Swin(**TINY, remat=remat) for remat in (True, False))
    variables = image_variables(model)
    names = jax.tree.map(lambda leaf: leaf.shape, variables)
    assert names == jax.tree.map(lambda leaf: leaf.shape, shapes(plain, 24, 16)[1])
    (ours, features), (theirs, expected) = (run(m, variables) for m in (model, plain))
    assert {stride: value.shape for stride, value in features.items()} == {
        4: (2, 6, 4, 8),
        8: (2, 3, 2, 16),
    }
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), features, expected)

    def check(path, a, b):
        np.testing.assert_allclose(a, b, atol=2e-5 * np.abs(b).max(), err_msg=str(path))

    jax.tree_util.tree_map_with_path(check, ours, theirs)


def test_every_second_block_is_shifted_by_half_a_window():
    model = Swin(**TINY | dict(depths=(4, 1), window=7))
    seen = []

    def record(next_fun, args, kwargs, context):
        if isinstance(context.module, SwinBlock) and context.method_name == "__call__":
            seen.append(context.module.shift)
        return next_fun(*args, **kwargs)

    with nn.intercept_methods(record):
        shapes(model, 24, 16)
    assert seen == [0, 3, 0, 3, 0]


def test_weights_start_normal_with_a_deviation_of_a_fiftieth():
    model = models.classifier("swin_t", num_classes=50, width=32, depths=(1, 1), heads=(2, 2))

    @functools.partial(jax.jit, compiler_options=QUICKLY)
    def init():
        return model.init(KEY, jnp.zeros((1, 32, 32, 3)), train=False)["params"]

    params = jax.tree.map(np.asarray, init())
    backbone = params["backbone"]
    block = backbone["stage2_block1"]
    kernels = [
        block["attention"]["qkv"]["kernel"],
        block["attention"]["out"]["kernel"],
        block["mlp"]["expand"]["kernel"],
        block["relative_position_bias"],
        backbone["merge2"]["reduce"]["kernel"],
        params["head"]["kernel"],
    ]
    for kernel in kernels:
        np.testing.assert_allclose(kernel.std(), 0.02, rtol=0.1)
    patch = backbone["patch_embedding"]
    np.testing.assert_allclose(patch["kernel"].std(), (1 / 3 / 48) ** 0.5, rtol=0.1)
    assert patch["bias"].any()
    assert not block["mlp"]["expand"]["bias"].any()
    assert not params["head"]["bias"].any()


def test_image_smaller_than_a_patch_is_an_error():
    with pytest.raises(ValueError, match=r"at least 4 pixels, got \(3, 16\)"):
        shapes(Swin(**TINY), 3, 16)
