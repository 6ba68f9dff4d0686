"""Reference checkpoints to our variables, strictly: every tensor used, every variable filled."""

import dataclasses
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, cast

import jax
import numpy as np
from flax import linen as nn
from flax import traverse_util

from jaxvision.pretrained import (
    alexnet,
    darknet,
    densenet,
    googlenet,
    inception_v3,
    mobilenet_v3,
    resnet,
    swin,
    vgg,
    vit,
    xception,
    yolox,
)
from jaxvision.pretrained.layout import to_flax_layout
from jaxvision.pretrained.read import read_state

State = Mapping[str, np.ndarray]


class Family(NamedTuple):
    """How the weights of a family of models are read; its module's functions, one row each.

    Attributes:
        names: Variants, as `models.variants()` lists them.
        build: Maps (name, state) to the model that these weights belong to, with as many classes.
        reference_name: Maps (name, path of a variable without its collection) to the name of the
            tensor that fills it.
        adapt: Maps (name, path, value in Flax's layout) to the value to store.
        canonical: Maps (name, state) to a state under the names of `reference_name`, where
            weights go round under others, too.
        template_size: Maps a name to the side in pixels of an image that the model takes.
        resize: Maps (model, canonical state) to a state for the model's image size, where tensors
            depend on it.
    """

    names: Collection[str]
    build: Callable[[str, State], nn.Module]
    reference_name: Callable[[str, str], str]
    adapt: Callable[[str, str, np.ndarray], np.ndarray] = lambda name, path, value: value
    canonical: Callable[[str, State], State] = lambda name, state: state
    template_size: Callable[[str], int] = lambda name: 64
    resize: Callable[[nn.Module, State], State] = lambda model, state: state


FAMILIES = (
    Family(yolox.NAMES, yolox.build, yolox.reference_name, yolox.adapt),
    Family(alexnet.NAMES, alexnet.build, alexnet.reference_name, alexnet.adapt),
    Family(vgg.NAMES, vgg.build, vgg.reference_name, vgg.adapt, vgg.canonical),
    Family(googlenet.NAMES, googlenet.build, googlenet.reference_name, googlenet.adapt),
    Family(
        inception_v3.NAMES,
        inception_v3.build,
        inception_v3.reference_name,
        template_size=inception_v3.template_size,
    ),
    Family(resnet.NAMES, resnet.build, resnet.reference_name, canonical=resnet.canonical),
    Family(densenet.NAMES, densenet.build, densenet.reference_name, canonical=densenet.canonical),
    Family(mobilenet_v3.NAMES, mobilenet_v3.build, mobilenet_v3.reference_name),
    Family(xception.NAMES, xception.build, xception.reference_name),
    Family(darknet.NAMES, darknet.build, darknet.reference_name),
    Family(vit.NAMES, vit.build, vit.reference_name, canonical=vit.canonical, resize=vit.resize),
    Family(swin.NAMES, swin.build, swin.reference_name, canonical=swin.canonical),
)


def load(
    name: str, path_or_state: str | os.PathLike[str] | Mapping[str, np.ndarray], **overrides: Any
) -> tuple[nn.Module, dict[str, Any]]:
    """Builds a model and fills it with a reference implementation's weights.

        model, variables = pretrained.load("yolox_s", "yolox_s.pth")
        predictions = model.apply(variables, images, train=False)

        model, variables = pretrained.load("vit_b_16", "vit_b_16.npz", image_size=384)

    Args:
        name: A variant, as `models.variants()` lists them.
        path_or_state: A `.safetensors` or `.npz` file, a PyTorch `.pth` or `.pt` file, which is
            read without PyTorch and without running anything in it, or {reference name: array}.
        **overrides: Fields of the classifier's backbone, or of the detector, to replace, such as
            `dtype`; a ViT's `image_size` interpolates the embeddings of its positions.

    Returns:
        The module and its variables {"params", "batch_stats"}.

    Raises:
        ValueError: If there is no such variant or field, or names or shapes of the weights are not
            those of the reference; the message lists what is left over on both sides.
    """
    family = next((f for f in FAMILIES if name in f.names), None)
    if family is None:
        known = ", ".join(n for f in FAMILIES for n in f.names)
        raise ValueError(f"name must be one of {known}, got {name}")
    state = read_state(path_or_state)
    model = _override(family.build(name, state), overrides)
    side = family.template_size(name)
    images = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
    template = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)
    variables = fill(
        template,
        family.resize(model, family.canonical(name, state)),
        lambda path: family.reference_name(name, path),
        lambda path, value: family.adapt(name, path, value),
    )
    return model, variables


def _override(model: nn.Module, fields: dict[str, Any]) -> nn.Module:
    if not fields:
        return model
    backbone = getattr(model, "backbone", None)
    part = model if backbone is None else backbone
    known = {field.name for field in dataclasses.fields(part)} - {"parent", "name"}
    if not fields.keys() <= known:
        raise ValueError(
            f"fields of {type(part).__name__} are {', '.join(sorted(known))}, "
            f"got {', '.join(sorted(fields.keys() - known))}"
        )
    part = part.clone(**fields)
    return part if backbone is None else model.clone(backbone=part)


def fill(
    template: Any,
    state: Mapping[str, np.ndarray],
    reference_name: Callable[[str], str],
    adapt: Callable[[str, np.ndarray], np.ndarray],
) -> dict[str, Any]:
    """Fills variables from a PyTorch state dict.

    Args:
        template: Shapes and dtypes of our variables, {collection: tree}.
        state: {reference name: array} in PyTorch's layout.
        reference_name: Maps a variable's path, without its collection, to the reference's name.
        adapt: Maps (path, value in our layout) to the value to store.

    Returns:
        Variables of the template's structure, numpy arrays.

    Raises:
        ValueError: If tensors are left over or missing, or a shape differs; all are listed.
    """
    filled, missing, mismatched, used = {}, [], [], set()
    leaves = cast(Mapping[tuple[str, ...], Any], traverse_util.flatten_dict(template))
    for key, leaf in leaves.items():
        path = "/".join(key[1:])
        source = reference_name(path)
        if source not in state:
            missing.append(f"{source} (our {path})")
            continue
        used.add(source)
        value = to_flax_layout(state[source])
        if value.shape != leaf.shape:
            mismatched.append(f"{source}: expected {leaf.shape}, got {value.shape} (our {path})")
            continue
        filled[key] = np.ascontiguousarray(adapt(path, value), leaf.dtype)
    # PyTorch counts the batches its running statistics saw; only a momentum of None reads it.
    unused = [n for n in state if n not in used and not n.endswith("num_batches_tracked")]
    problems = [
        f"{title}:\n  " + "\n  ".join(sorted(names))
        for title, names in (
            ("missing in the weights", missing),
            ("not used by the model", unused),
            ("of another shape (in our layout)", mismatched),
        )
        if names
    ]
    if problems:
        raise ValueError("the weights do not fit the model\n" + "\n".join(problems))
    return traverse_util.unflatten_dict(filled)
