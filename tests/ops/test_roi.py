import fill
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from einops import rearrange
from reference import FORWARD, TRAINING, assert_agrees

from jaxvision.ops.roi_align import level_of, multiscale_roi_align, roi_align
from jaxvision.ops.roi_pool import roi_pool


@pytest.fixture(scope="module")
def case():
    return fill.load_case("ops_roi")


@pytest.fixture(scope="module")
def features(case):
    return jnp.asarray(case["features"].transpose(0, 2, 3, 1))


def per_image(case):
    """Pads the regions of each image to one number: boxes [B, R, 4] and places in the list."""
    images = case["rois"][:, 0].astype(int)
    places = [np.flatnonzero(images == i) for i in range(2)]
    count = max(map(len, places))
    boxes = np.zeros((2, count, 4), np.float32)
    for i, place in enumerate(places):
        boxes[i, : len(place)] = case["rois"][place, 1:]
    return jnp.asarray(boxes), places


def in_order(pooled, places):
    result = np.zeros((sum(map(len, places)), *pooled.shape[2:]), np.float32)
    for i, place in enumerate(places):
        result[place] = np.asarray(pooled)[i, : len(place)]
    return rearrange(result, "r h w c -> r c h w")


def to_batch(cotangent, boxes, places):
    result = np.zeros((*boxes.shape[:2], 5, 7, 3), np.float32)
    for i, place in enumerate(places):
        result[i, : len(place)] = cotangent[place].transpose(0, 2, 3, 1)
    return jnp.asarray(result)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("samples", [0, 2])
def test_roi_align_matches_reference(case, features, aligned, samples):
    boxes, places = per_image(case)
    name = f"aligned{int(aligned)}_sampling{samples}"
    stride = 1 / float(case["spatial_scale"])
    cotangent = to_batch(case[f"cotangent_{name}"], boxes, places)

    @jax.jit
    def run(x):
        def pool(x):
            return roi_align(x, boxes, size=(5, 7), stride=stride, samples=samples, aligned=aligned)

        y, back = jax.vjp(pool, x)
        return y, back(cotangent)[0]

    pooled, grad = run(features)
    assert_agrees(in_order(pooled, places), case[f"roi_align_{name}"], FORWARD)
    theirs = case[f"grad_{name}"].transpose(0, 2, 3, 1)
    assert_agrees(grad, theirs, TRAINING)


def test_roi_pool_matches_reference(case, features):
    boxes, places = per_image(case)
    stride = 1 / float(case["spatial_scale"])
    pooled = jax.jit(lambda x: roi_pool(x, boxes, size=(5, 7), stride=stride))(features)
    np.testing.assert_array_equal(in_order(pooled, places), case["roi_pool"])


def test_gradient_of_a_maximum_goes_to_its_first_cell():
    # Two bins of two columns each; all values of the second are equal.
    features = jnp.array([[1.0, 3.0, 2.0, 2.0], [0.0, 5.0, 2.0, 2.0]])[None, :, :, None]
    boxes = jnp.array([[[0.0, 0.0, 3.0, 1.0]]])

    def total(x):
        pooled = roi_pool(x, boxes, size=(1, 2), stride=1)
        return (pooled[0, 0, 0, :, 0] * jnp.array([1.0, 10.0])).sum()

    grad = jax.jit(jax.grad(total))(features)[0, :, :, 0]
    np.testing.assert_array_equal(grad, [[0, 0, 10, 0], [0, 1, 0, 0]])


def test_regions_of_a_pyramid_match_reference():
    case = fill.load_case("ops_multiscale_roi_align")
    levels = {4 * 2**i: case[f"features{i}"].transpose(0, 2, 3, 1) for i in range(4)}
    boxes = jnp.asarray(case["boxes"])
    np.testing.assert_array_equal(level_of(boxes, [4, 8, 16, 32]).reshape(-1), case["level"])
    pooled = jax.jit(lambda x: multiscale_roi_align(x, boxes, size=(7, 7)))(levels)
    theirs = rearrange(case["roi_features"], "(b r) c h w -> b r h w c", b=2)
    assert_agrees(pooled, theirs, FORWARD)


def test_the_number_of_images_may_be_left_open():
    rng = np.random.default_rng(0)
    levels = {s: rng.normal(size=(3, 64 // s, 96 // s, 2)).astype(np.float32) for s in (4, 8)}
    boxes = rng.uniform(0, 30, (3, 5, 4)).cumsum(-1).astype(np.float32)
    pool = jax.jit(lambda levels, boxes: multiscale_roi_align(levels, boxes, size=(3, 3)))
    (batch,) = jax.export.symbolic_shape("batch")
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype), (levels, boxes)
    )
    found = jax.export.export(pool)(*shapes).call(levels, boxes)
    np.testing.assert_allclose(found, pool(levels, boxes), rtol=1e-4, atol=1e-5)


def test_points_as_many_as_a_bin_is_long_are_taken_from_the_same_levels():
    rng = np.random.default_rng(0)
    levels = {
        s: jnp.asarray(rng.normal(size=(1, 64 // s, 96 // s, 2)), jnp.float32) for s in (4, 8)
    }
    boxes = jnp.array([[[3.0, 5.0, 60.0, 50.0], [-8.0, 1.0, 400.0, 300.0]]])

    @jax.jit
    def pool(levels):
        alone = [roi_align(levels[s], boxes, size=(3, 3), stride=s, samples=0) for s in (4, 8)]
        return multiscale_roi_align(levels, boxes, size=(3, 3), samples=0), alone

    both, alone = pool(levels)
    np.testing.assert_array_equal(level_of(boxes, [4, 8]), [[0, 1]])
    for i, one in enumerate(alone):
        np.testing.assert_allclose(both[0, i], one[0, i], rtol=1e-6)


@pytest.mark.parametrize("samples", [0, 2])
def test_features_without_regions_have_no_gradient(samples):
    features = jnp.ones((1, 8, 8, 2))
    boxes = jnp.array([[[500.0, 500.0, 600.0, 600.0], [0.0, 0.0, 0.0, 0.0]]])

    def total(x):
        return roi_align(x, boxes, size=(2, 2), stride=4, samples=samples, aligned=True)[0, 0].sum()

    value, grad = jax.jit(jax.value_and_grad(total))(features)
    assert value == 0
    np.testing.assert_array_equal(grad, 0)
