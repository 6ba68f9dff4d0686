"""The references' logits, losses, gradients and statistics, through the importer of weights."""

import functools

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick
from reference import FORWARD, TRAINING, assert_agrees, count, images_of, state_of

from jaxvision import pretrained
from jaxvision.losses.segmentation import dice_loss, pixel_cross_entropy
from jaxvision.models.segmentation.segmenter_output import SegmenterOutput
from jaxvision.ops.resize import resize_bilinear

# Variant by case, in which two have other classes or sizes.
VARIANTS = {
    "fcn_resnet50": "fcn_resnet50",
    "fcn8s": "fcn8s",
    "fcn8s_at_once": "fcn8s_at_once",
    "unet": "unet",
    "unet_milesial": "unet_milesial",
    "segnet": "segnet",
    "segnet_gradients": "segnet",
    "deconvnet": "deconvnet",
}


@functools.lru_cache(maxsize=1)
def loaded(name):
    """Returns the case, the model and its variables; only one, since each takes up to 1 GB."""
    case = fill.load_case(name)
    return case, *pretrained.load(VARIANTS[name], state_of(case))


def channels_last(x):
    return np.asarray(x).transpose(0, 2, 3, 1)


@pytest.mark.parametrize("name", quick(VARIANTS, "unet_milesial"))
def test_logits_match_reference(name):
    case, model, variables = loaded(name)
    assert count(variables["params"]) == case["num_params"]
    logits = jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, images_of(case))
    step = int(case["logits_stride"])
    assert_agrees(logits[:, ::step, ::step], channels_last(case["logits"]), FORWARD)
    assert_agrees(logits.sum((1, 2)), case["logits_class_sum"], FORWARD)


def crop_labels(labels, logits):
    return jnp.asarray(labels, jnp.int32)[:, : logits.shape[1], : logits.shape[2]]


def loss_of(output, labels):
    if isinstance(output, SegmenterOutput):
        return loss_of(output.logits, labels) + 0.5 * loss_of(output.auxiliary[0], labels)
    return pixel_cross_entropy(output, crop_labels(labels, output))


@pytest.mark.parametrize(
    "name",
    quick(
        ["fcn_resnet50", "fcn8s", "unet", "unet_milesial", "segnet", "segnet_gradients"],
        "segnet_gradients",
    ),
)
def test_losses_gradients_and_statistics_match_reference(name):
    case, model, variables = loaded(name)
    train = bool(case["trained_mode"])
    if name == "fcn_resnet50":
        model = model.clone(dropout=0.0)

    def objective(params):
        output, state = model.apply(
            variables | {"params": params}, images_of(case), train=train, mutable=["batch_stats"]
        )
        return loss_of(output, case["labels"]), (output, state)

    step = jax.jit(jax.value_and_grad(objective, has_aux=True))
    (loss, (output, state)), grads = step(variables["params"])
    assert_agrees(loss, case["loss"], TRAINING)
    if "train_logits" in case:
        logits = output.logits if isinstance(output, SegmenterOutput) else output
        assert_agrees(logits[:, ::2, ::2], channels_last(case["train_logits"]), TRAINING)
    statistics = state.get("batch_stats", {})
    exported = pretrained.export(VARIANTS[name], {"params": grads, "batch_stats": statistics})
    compared = [key for key in case if key.startswith(("grad:", "stat:"))]
    assert compared
    for key in compared:
        assert_agrees(exported[key.partition(":")[2]], case[key], TRAINING)


@pytest.mark.slow
def test_auxiliary_logits_match_reference():
    case, model, variables = loaded("fcn_resnet50")

    @jax.jit
    def forward(variables, images):
        captured = model.apply(
            variables,
            images,
            train=False,
            capture_intermediates=lambda m, _: m.name == "auxiliary_head",
        )[1]
        inner = captured["intermediates"]["auxiliary_head"]["__call__"][0]
        return resize_bilinear(inner, images.shape[1:3])

    aux = forward(variables, images_of(case))
    assert_agrees(aux, channels_last(case["aux_logits"]), FORWARD)


def test_dice_of_milesial_matches_reference():
    case = fill.load_case("unet_milesial")
    logits, labels = channels_last(case["logits"]), case["dice_labels"].astype(np.int32)
    loss = dice_loss(jnp.asarray(logits), jnp.asarray(labels), smooth=1e-6, joint=True)
    assert_agrees(loss, case["dice_loss"], TRAINING)


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_export_writes_what_was_read(name):
    case, _, variables = loaded(name)
    state = state_of(case)
    exported = pretrained.export(VARIANTS[name], variables)
    assert exported.keys() == state.keys()
    for key, value in state.items():
        np.testing.assert_array_equal(exported[key], value)
