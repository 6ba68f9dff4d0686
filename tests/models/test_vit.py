import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply
from flax import errors, traverse_util
from flax import linen as nn
from network import filled, shapes

from jaxvision import models
from jaxvision.layers.attention import SelfAttention
from jaxvision.models.backbones.vit import ViT, ViTClassifier
from jaxvision.ops.position_embedding import resize_position_embedding, sincos_position_embedding

# Compiles in a fraction of the time that the default's random numbers and optimisation take.
KEY = jax.random.key(3, impl="rbg")
QUICKLY = {"xla_backend_optimization_level": 0}

TINY = dict(patch=4, width=16, depth=2, heads=2, image_size=(8, 12))


def variables_of(model, height=8, width=12):
    variables = filled(shapes(model, height, width)[1])
    # `filled` leaves vectors constant; these must matter, too.
    rng = np.random.default_rng(5)
    return jax.tree.map(lambda x: x + 0.1 * rng.standard_normal(x.shape, np.float32), variables)


def images(height=8, width=12, seed=1):
    return np.random.default_rng(seed).standard_normal((2, height, width, 3), np.float32)


def test_features_are_those_of_the_patches_in_their_places():
    model = ViT(**TINY | dict(depth=0))
    variables = variables_of(model)
    x = images()
    changed = x.copy()
    changed[:, 4:8, 8:12] += 1
    run = jax.jit(lambda x: model.apply(variables, x, train=False))
    (stride, before), (_, after) = *run(x).items(), *run(changed).items()
    assert stride == 4
    differs = np.any(before != after, axis=(0, 3))
    np.testing.assert_array_equal(differs, [[False, False, False], [False, False, True]])


def test_positions_of_another_size_are_interpolated_and_the_class_token_keeps_its_own():
    small, large = (ViT(**TINY | dict(image_size=size, depth=1)) for size in ((8, 12), 16))
    variables = variables_of(small)
    embedding = jnp.asarray(variables["params"]["position_embedding"])
    assert embedding.shape == (1, 7, 16)
    resized = resize_position_embedding(embedding, (2, 3), (4, 4))
    assert resized.shape == (1, 17, 16)
    other = {"params": variables["params"] | {"position_embedding": resized}}
    x = images(16, 16)

    @functools.partial(jax.jit, static_argnums=0, compiler_options=QUICKLY)
    def encode(model, variables):
        return model.apply(variables, x, train=False, method="encode")

    for ours, theirs in zip(encode(small, variables), encode(large, other), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_fixed_positions_are_waves_added_to_the_patches_alone():
    options = TINY | dict(position="sincos2d", depth=0)
    fixed, learned = ViT(**options), ViT(**options | dict(position="learn"))
    variables = variables_of(fixed)
    assert set(variables["params"]) == {"patch_embedding", "class_token", "norm"}
    waves = np.concatenate([np.zeros((1, 1, 16)), sincos_position_embedding(2, 3, 16)], 1)
    params = variables["params"] | {"position_embedding": waves.astype(np.float32)}
    ours = apply(fixed, variables, images(), train=False, method="encode")
    theirs = apply(learned, {"params": params}, images(), train=False, method="encode")
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize("pool", ["token", "gap"])
def test_classifier_reads_the_token_or_the_mean_through_the_layer_before_the_head(pool):
    model = ViTClassifier(ViT(**TINY | dict(pool=pool, depth=1)), num_classes=3, rep_size=5)
    variables = variables_of(model)
    params = variables["params"]
    assert ("class_token" in params["backbone"]) == (pool == "token")
    positions = params["backbone"]["position_embedding"]
    assert positions.shape == (1, 7 if pool == "token" else 6, 16)

    @jax.jit
    def run(variables, x):
        backbone = {"params": variables["params"]["backbone"]}
        tokens = apply(model.backbone, backbone, x, train=False, method="encode")
        return model.apply(variables, x, train=False), tokens

    logits, tokens = run(variables, images())
    x = tokens.class_token if pool == "token" else tokens.patches.mean((1, 2))
    layer, head = params["pre_logits"], params["head"]
    x = np.tanh(x @ layer["kernel"] + layer["bias"][None])
    np.testing.assert_allclose(logits, x @ head["kernel"] + head["bias"][None], atol=1e-5)


def test_blocks_computed_anew_give_the_same_values_gradients_and_names():
    x = images()

    def run(remat):
        model = ViT(**TINY | dict(remat=remat, dropout=0.1))
        variables = variables_of(model)

        def objective(variables):
            features = apply(model, variables, x, train=True, rngs={"dropout": KEY})
            return (features[4] ** 3).sum()

        traced = jax.jit(jax.value_and_grad(objective)).trace(variables)
        assert ("remat" in str(traced.jaxpr)) == remat
        return traced.lower().compile(QUICKLY)(variables)

    (loss, grads), (remat_loss, remat_grads) = run(False), run(True)
    np.testing.assert_allclose(loss, remat_loss, rtol=1e-5)
    ours, theirs = (traverse_util.flatten_dict(g, sep="/") for g in (grads, remat_grads))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        scale = np.abs(value).max()
        assert scale > 0
        np.testing.assert_allclose(theirs[name], value, atol=2e-5 * scale, err_msg=name)


def test_blocks_computed_anew_need_less_than_half_of_the_memory():
    batch = jax.ShapeDtypeStruct((8, 32, 32, 3), jnp.float32)
    # On a processor XLA takes away the barriers that keep it from sharing the two computations.
    options = QUICKLY | {"xla_disable_hlo_passes": "cse_barrier_expander"}

    def bytes_between_operations(remat):
        model = ViT(**TINY | dict(remat=remat, depth=4, image_size=32))
        run = jax.jit(jax.grad(lambda v, x: model.apply(v, x, train=True)[4].sum()))
        compiled = run.lower(shapes(model, 32)[1], batch).compile(options)
        return compiled.memory_analysis().temp_size_in_bytes

    assert bytes_between_operations(True) < 0.5 * bytes_between_operations(False)


@pytest.mark.parametrize("remat", [False, True])
def test_attention_maps_of_all_blocks_are_given_on_demand(remat):
    model = ViTClassifier(ViT(**TINY | dict(remat=remat)), num_classes=3)
    variables = variables_of(model)
    run = jax.jit(lambda v, x: model.apply(v, x, train=False, mutable=["intermediates"]))
    _, state = run(variables, images())
    for i in (1, 2):
        maps = state["intermediates"]["backbone"][f"block{i}"]["attention"]["weights"][0]
        assert maps.shape == (2, 2, 7, 7)
        np.testing.assert_allclose(maps.sum(-1), np.ones((2, 2, 7)), atol=1e-6)
        assert (maps >= 0).all()


def runner(variables):
    """Maps (model, train) to features, compiled."""

    def run(model, train):
        return model.apply(variables, images(), train=train, rngs={"dropout": KEY})[4]

    return jax.jit(run, static_argnums=(0, 1), compiler_options=QUICKLY)


def test_branches_are_dropped_in_training_alone_and_never_the_first_blocks():
    model, plain = (ViT(**TINY | dict(drop_path=rate)) for rate in (0.999999, 0.0))
    first = ViT(**TINY | dict(depth=1))
    variables = variables_of(model)
    run = runner(variables)
    np.testing.assert_array_equal(run(model, False), run(plain, False))
    np.testing.assert_allclose(run(model, True), run(first, True), atol=1e-5)
    with pytest.raises(errors.InvalidRngError, match='"dropout"'):
        model.apply(variables, images(), train=True)


def test_dropout_acts_in_training_alone():
    model, plain = ViT(**TINY | dict(dropout=0.5, depth=0)), ViT(**TINY | dict(depth=0))
    run = runner(variables_of(model))
    np.testing.assert_array_equal(run(model, False), run(plain, False))
    assert np.abs(run(model, True) - run(plain, True)).max() > 0.1


def test_dropout_follows_the_positions_and_every_layer_but_queries_keys_and_values():
    seen = []

    def record(next_fun, args, kwargs, context):
        if isinstance(context.module, nn.Dropout) and context.module.rate == 0.5:
            seen.append("/".join(context.module.path[:-1]))
        return next_fun(*args, **kwargs)

    with nn.intercept_methods(record):
        shapes(ViT(**TINY | dict(dropout=0.5)), 8, 12)
    assert seen == ["", "block1", "block1/mlp", "block1/mlp", "block2", "block2/mlp", "block2/mlp"]


def test_factors_of_the_branches_channels_scale_them():
    model, without = ViT(**TINY | dict(layer_scale=0.1, depth=1)), ViT(**TINY | dict(depth=0))
    variables = filled(shapes(model, 8, 12)[1])
    block = variables["params"]["block1"]
    assert block["attention_scale"].shape == block["mlp_scale"].shape == (16,)
    init = jax.jit(lambda: model.init(KEY, images(), train=False), compiler_options=QUICKLY)
    start = init()["params"]["block1"]
    assert (start["attention_scale"] == np.float32(0.1)).all()
    assert (start["mlp_scale"] == np.float32(0.1)).all()
    # `filled` makes vectors 0: with such factors a block is the identity.
    rest = {k: v for k, v in variables["params"].items() if k != "block1"}
    ours = apply(model, variables, images(), train=False)[4]
    expected = apply(without, {"params": rest}, images(), train=False)[4]
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    block["mlp_scale"] = block["mlp_scale"] + 1
    assert np.abs(model.apply(variables, images(), train=False)[4] - expected).max() > 0.1


XAVIER = (2 / (64 + 256)) ** 0.5
SPREADS = {
    "timm": dict(patch=(1 / 3 / 48) ** 0.5, qkv=0.02, out=0.02, mlp=0.02, position=0.02),
    "big_vision": dict(patch=(1 / 48) ** 0.5, qkv=1 / 8, out=1 / 8, mlp=XAVIER, position=1 / 8),
    "torchvision": dict(
        patch=(1 / 48) ** 0.5,
        qkv=(2 / 256) ** 0.5,
        out=(1 / 3 / 64) ** 0.5,
        mlp=XAVIER,
        position=0.02,
    ),
}


@pytest.mark.parametrize("weight_init", SPREADS)
def test_weights_start_with_the_spread_of_the_implementation_they_are_called_by(weight_init):
    backbone = ViT(patch=4, width=64, depth=1, heads=2, image_size=32, weight_init=weight_init)
    model = ViTClassifier(backbone, num_classes=20, head_bias=-6.9)
    paths = {
        "patch": "backbone/patch_embedding/kernel",
        "qkv": "backbone/block1/attention/qkv/kernel",
        "out": "backbone/block1/attention/out/kernel",
        "mlp": "backbone/block1/mlp/expand/kernel",
        "position": "backbone/position_embedding",
        "head": "head/kernel",
        "head_bias": "head/bias",
        "mlp_bias": "backbone/block1/mlp/expand/bias",
        "patch_bias": "backbone/patch_embedding/bias",
        "token": "backbone/class_token",
    }

    @functools.partial(jax.jit, compiler_options=QUICKLY)
    def init():
        variables = model.init(KEY, jnp.zeros((1, 32, 32, 3)), train=False)
        flat = traverse_util.flatten_dict(variables["params"], sep="/")
        return {name: flat[path] for name, path in paths.items()}

    values = jax.tree.map(np.asarray, init())
    for name, std in SPREADS[weight_init].items():
        np.testing.assert_allclose(values[name].std(), std, rtol=0.07, err_msg=name)
        assert abs(values[name].mean()) < 0.1 * std
    timm = weight_init == "timm"
    assert values["head"].any() == timm
    assert values["mlp_bias"].any() == (not timm)
    assert values["patch_bias"].any() == timm
    assert values["token"].any() == timm
    for name in ("mlp_bias", "token"):
        assert np.abs(values[name]).max() < 1e-5
    assert (values["head_bias"] == np.float32(-6.9)).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(), r"images must be multiples of the patch of 4 pixels, got 9 x 12"),
        (dict(image_size=30), r"of image_size must .* patch of 4"),
        (dict(heads=3), "got 3 heads and a width of 16"),
        (dict(pool="map"), "pool must be one of token, gap, got map"),
        (dict(position="rotary"), "position must be one of learn, sincos2d, got rotary"),
        (dict(weight_init="jax"), "weight_init must be one of timm, .*, got jax"),
        (dict(activation="geglu"), "activation must be one of .*, got geglu"),
    ],
)
def test_fields_that_do_not_go_together_are_errors(fields, message):
    height = 8 if fields else 9
    with pytest.raises(ValueError, match=message):
        shapes(ViT(**TINY | fields), height, 12)


def test_fields_that_do_not_go_together_are_errors_before_anything_is_computed():
    with pytest.raises(ValueError, match="multiples of the patch of 16 pixels, got 225 x 225"):
        models.classifier("vit_s_16", image_size=225)


def test_options_of_a_classifier_reach_the_backbone_and_the_head():
    model = models.classifier(
        "vit_s_16", num_classes=7, rep_size=384, head_bias=-6.9, pool="gap", position="sincos2d"
    )
    assert (model.num_classes, model.rep_size, model.head_bias) == (7, 384, -6.9)
    assert model.backbone == models.backbone("vit_s_16", pool="gap", position="sincos2d")


def test_implementation_of_attention_is_handed_on():
    with pytest.raises(ValueError, match="needs an NVIDIA GPU"):
        shapes(ViT(**TINY | dict(implementation="cudnn", dtype=jnp.bfloat16)), 8, 12)
    assert SelfAttention(2).implementation is None
