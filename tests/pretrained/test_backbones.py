"""The references' logits, gradients and statistics, through the importer of their weights."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from cases import quick
from flax import traverse_util

from jaxvision import models, pretrained
from jaxvision.pretrained import alexnet, resnet, vgg
from jaxvision.pretrained.families import family, source
from jaxvision.pretrained.layout import flattened, to_flax_layout

FORWARD, TRAINING = 1e-4, 1e-3
CASES = (
    "alexnet",
    "vgg16",
    "vgg11_bn",
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "seresnet50",
)


def assert_agrees(ours, theirs, bound):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= bound * np.abs(theirs).max()


def images(shape, seed=0):
    return fill.image_batch(tuple(shape), seed).transpose(0, 2, 3, 1)


@pytest.mark.parametrize("name", quick(CASES, "alexnet", "resnet18"))
def test_logits_match_reference(name):
    case = fill.load_case(name)
    model, variables = pretrained.load(name, fill.fill_state(case["spec"]))
    forward = jax.jit(lambda v, x: model.apply(v, x, train=False))
    assert_agrees(forward(variables, images(case["input_shape"])), case["logits"], FORWARD)
    count = sum(x.size for x in jax.tree.leaves(variables["params"]))
    assert count == case["num_params"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_training_matches_reference(name):
    case = fill.load_case(name)
    model, variables = pretrained.load(name, fill.fill_state(case["spec"]))
    batch, labels = images(case["train_shape"], seed=1), jnp.arange(8) * 7

    def objective(params):
        logits, updated = model.apply(
            variables | {"params": params}, batch, train=True, mutable=["batch_stats"]
        )
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
        return loss, (loss, logits, updated["batch_stats"])

    step = jax.jit(jax.grad(objective, has_aux=True))
    grads, (loss, logits, stats) = step(variables["params"])
    assert_agrees(loss, case["train_loss"], TRAINING)
    assert_agrees(logits, case["train_logits"], TRAINING)
    ours = {}
    for kind, tree in (("grad", grads), ("stat", stats)):
        for path, value in traverse_util.flatten_dict(tree, sep="/").items():
            ours[f"{kind}:{source(name).reference_name(path)}"] = value
    compared = [key for key in case if key.startswith(("grad:", "stat:"))]
    assert len(compared) == 7
    for key in compared:
        theirs = to_flax_layout(case[key])
        if key.startswith("stat:") or key == "grad:fc.bias":
            assert_agrees(ours[key], theirs, TRAINING)
        else:
            # A ReLU or a pool whose input is within rounding of a tie passes the gradient to one
            # side or the other: the reference itself is 2% of the norm off its float64 gradients.
            assert np.linalg.norm(ours[key] - theirs) <= 0.05 * np.linalg.norm(theirs)


def shapes(model):
    images = jnp.zeros((1, 64, 64, 3))
    return jax.eval_shape(lambda: model.init(jax.random.key(0), images, train=False))


@pytest.mark.parametrize(
    "name",
    [
        name
        for names in (alexnet.FAMILY, vgg.FAMILY, resnet.FAMILY, resnet.SE_FAMILY)
        for name in names.names
    ],
)
def test_every_variable_has_a_reference_name_of_its_own(name):
    paths = traverse_util.flatten_dict(shapes(models.classifier(name)))
    references = [source(name).reference_name("/".join(path[1:])) for path in paths]
    assert len(set(references)) == len(references)
    assert {r.rpartition(".")[2] for r in references} <= {
        "weight",
        "bias",
        "running_mean",
        "running_var",
    }
    assert not any("/" in r or "stage" in r for r in references)


@pytest.mark.parametrize(
    ("name", "number"),
    [("vgg11", 18), ("vgg13", 22), ("vgg16", 28), ("vgg19", 34)]
    + [("vgg11_bn", 25), ("vgg13_bn", 31), ("vgg16_bn", 40), ("vgg19_bn", 49)],
)
def test_number_of_vggs_last_convolution_is_torchvisions(name, number):
    depth = models.backbone(name).depths[-1]
    reference = source(name).reference_name(f"backbone/stage5_conv{depth}/kernel")
    assert reference == f"features.{number}.weight"


@pytest.mark.parametrize("name", ["resnet18", "seresnet50"])
def test_number_of_classes_is_read_off_the_weights(name):
    state = fill.fill_state(fill.load_case(name)["spec"])
    head = "last_linear" if name == "seresnet50" else "fc"
    for leaf in ("weight", "bias"):
        state[f"{head}.{leaf}"] = state[f"{head}.{leaf}"][:7]
    model, variables = pretrained.load(name, state)
    assert model.num_classes == 7
    assert variables["params"]["head"]["bias"].shape == (7,)


def test_first_dense_layer_takes_maps_flattened_by_rows():
    rng = np.random.default_rng(0)
    maps, weight = rng.standard_normal((2, 5, 3, 3)), rng.standard_normal((4, 45))
    kernel = flattened(side=3).load(weight)
    ours = maps.transpose(0, 2, 3, 1).reshape(2, -1) @ kernel
    np.testing.assert_allclose(ours, maps.reshape(2, -1) @ weight.T)


def test_vgg_of_timm_is_known_by_its_names():
    ones = {
        "features.0.weight": np.ones((64, 3, 3, 3)),
        "pre_logits.fc1.weight": np.arange(4 * 2 * 7 * 7).reshape(4, 2, 7, 7),
        "pre_logits.fc1.bias": np.ones(4),
        "pre_logits.fc2.weight": np.ones((3, 4, 1, 1)),
        "pre_logits.fc2.bias": np.ones(3),
        "head.fc.weight": np.ones((5, 3)),
        "head.fc.bias": np.ones(5),
    }
    weights = family("vgg16").read("vgg16", ones)
    assert weights.source.label == "timm"
    assert {weights.source.reference_name(f"{layer}/bias") for layer in ("fc6", "fc7", "head")} == {
        name for name in ones if name.endswith("bias")
    }
    # The same layer under torchvision's name, whose inputs are the map flattened by channels.
    flat = ones["pre_logits.fc1.weight"].reshape(4, -1)
    expected = source("vgg16", "torchvision").layout_of("fc6/kernel").load(flat)
    ours = weights.source.layout_of("fc6/kernel").load(ones["pre_logits.fc1.weight"])
    np.testing.assert_array_equal(ours, expected)
    fc7 = weights.source.layout_of("fc7/kernel").load(ones["pre_logits.fc2.weight"])
    assert fc7.shape == (4, 3)
    assert vgg.build("vgg16", weights).num_classes == 5


def test_se_resnet_of_timm_has_the_strides_of_torchvisions_resnet():
    legacy = fill.load_case("seresnet50")["spec"]
    state = {name: np.zeros(shape, np.float32) for name, shape in legacy.items()}
    timm = {}
    for name, value in state.items():
        name = name.removeprefix("layer0.").replace(".se_module.", ".se.")
        timm[name.replace("last_linear.", "fc.")] = value
    assert {"conv1.weight", "layer4.2.se.fc2.bias", "fc.weight"} <= timm.keys()
    model, _ = pretrained.load("seresnet50", timm)
    assert model.backbone == models.backbone("seresnet50", stride_in_1x1=False, ceil_pool=False)
    assert pretrained.load("seresnet50", state)[0].backbone == models.backbone("seresnet50")


def test_weights_that_do_not_fit_are_listed_on_both_sides():
    state = {
        name: np.zeros(shape, np.float32)
        for name, shape in fill.load_case("resnet18")["spec"].items()
    }
    state["layer1.0.extra.weight"] = state.pop("layer1.0.conv1.weight")
    with pytest.raises(ValueError) as error:
        pretrained.load("resnet18", state)
    assert "missing in the weights:\n  layer1.0.conv1.weight" in str(error.value)
    assert "not used by the model:\n  layer1.0.extra.weight" in str(error.value)
    state["layer1.0.conv1.weight"] = state.pop("layer1.0.extra.weight")
    with pytest.raises(ValueError, match="layer3.2"):
        pretrained.load("resnet34", state)
