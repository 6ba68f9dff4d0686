"""What tests of networks need: shapes without computing, and variables without compiling."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import traverse_util


def shapes(model, height, width=None, train=False):
    """Returns the shapes of (output, variables) for two images."""
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    images = jax.ShapeDtypeStruct((2, height, width or height, 3), jnp.float32)
    return jax.eval_shape(lambda x: model.init_with_output(keys, x, train=train), images)


def count(tree):
    return sum(math.prod(x.shape) for x in jax.tree.leaves(tree))


def sides(features):
    """Maps {stride: features} to {stride: (H, W)}."""
    return {stride: x.shape[1:3] for stride, x in features.items()}


def filled(variables):
    """Fills shapes with numbers that keep activations in range: quicker than compiling `init`."""
    rng = np.random.default_rng(0)

    def fill(path, leaf):
        if path[-1].key in ("scale", "var"):
            return np.ones(leaf.shape, np.float32)
        if leaf.ndim == 1:
            return np.zeros(leaf.shape, np.float32)
        size = rng.standard_normal(leaf.shape, np.float32)
        return size / np.sqrt(math.prod(leaf.shape[:-1])).astype(np.float32)

    return jax.tree_util.tree_map_with_path(fill, variables)


def step(model, height):
    """Runs one forward pass in training mode: (output, new statistics, old statistics)."""
    variables = filled(shapes(model, height)[1])
    images = np.random.default_rng(1).standard_normal((4, height, height, 3), np.float32)

    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def forward(variables, images):
        rngs = {"dropout": jax.random.key(2)}
        return model.apply(variables, images, train=True, rngs=rngs, mutable=["batch_stats"])

    output, state = forward(variables, images)
    return output, state.get("batch_stats", {}), variables.get("batch_stats", {})


def initial(model, height, paths):
    """Returns {path: initial parameter}; what these do not depend on is not computed."""

    def pick(key):
        variables = model.init(key, jnp.zeros((1, height, height, 3)), train=False)
        flat = traverse_util.flatten_dict(variables["params"], sep="/")
        return {path: flat[path] for path in paths}

    return jax.tree.map(np.asarray, jax.jit(pick)(jax.random.key(0)))


def images_of_backbone(build, images):
    """Returns the images [B, H, W, 3] that a detector gives to its backbone.

    `build` is called with `backbone=`; only what leads to the images is compiled.
    """

    class Seen(nn.Module):
        @nn.compact
        def __call__(self, images, *, train):
            self.sow("intermediates", "images", images)
            return {s: jnp.zeros((1, 32 // s, 32 // s, 8)) for s in (8, 16, 32)}

    model = build(backbone=Seen())

    @jax.jit
    def intermediates():
        mutable = ["params", "batch_stats", "intermediates"]
        variables = model.init(jax.random.key(0), images, train=False, mutable=mutable)
        return variables["intermediates"]["backbone"]["images"]

    (seen,) = intermediates()
    return seen
