"""The teacher of a distillation: a trained run of the classification recipe, or a reference."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import jax
import numpy as np
from flax import traverse_util

from jaxvision import models
from jaxvision.recipes import values, weights
from jaxvision.recipes.values import Config


class Teacher(NamedTuple):
    """A trained classifier.

    Attributes:
        model: Its network.
        variables: {collection: tree} of numpy arrays.
    """

    model: Any
    variables: Mapping[str, Any]


def read_teacher(
    config: Config, info: Mapping[str, Any], build: Callable[[Config, int], Any]
) -> Teacher:
    """Reads the network that `distillation.teacher` names.

    Args:
        config: The values of the student.
        info: What is known of its data.
        build: Maps a config and a number of classes to the network.

    Raises:
        ValueError: If the teacher is of other classes, of images normalised otherwise, or of
            another kind of problem, or images have several classes.
        FileNotFoundError: If there is nothing of that name.
    """
    given, names = config.distillation.teacher, list(info["class_names"])
    if info["multi_label"]:
        raise ValueError("distillation.teacher is for images with one class each, set it empty")
    meta = weights.meta_of_run(given)
    variant = config.distillation.variant
    if meta is not None:
        own = values.restored(meta["config"])
        _check_run(given, meta, config, names)
        model, variant = build(own, len(names)), own.variant
    elif not variant:
        raise ValueError(
            "distillation.variant must name the network of the weights in distillation.teacher, "
            "as resnet50; only a run's folder says it itself"
        )
    else:
        model = models.classifier(variant, num_classes=len(names))
    found = weights.read_weights(given, variant)
    _check_shapes(given, model, found, config)
    return Teacher(model, found)


def _check_run(given: str, meta: Mapping[str, Any], config: Config, names: list[str]) -> None:
    if meta["recipe"] != "classification":
        raise ValueError(
            f"distillation.teacher must be a run of classification, {given} is of {meta['recipe']}"
        )
    if list(meta["info"]["class_names"]) != names:
        raise ValueError(
            f"distillation.teacher must have the classes {', '.join(names)} in this order, {given} "
            f"has {', '.join(meta['info']['class_names'])}"
        )
    if (theirs := meta["config"].get("normalise", "")) != config.normalise:
        raise ValueError(
            f"normalise must be that of the teacher, {theirs or 'empty'}, as both take the same "
            f"images; got {config.normalise or 'empty'}"
        )
    for name in ("mean", "std"):
        theirs = tuple(meta["config"][name])
        if not np.allclose(theirs, config[name]) or len(theirs) != len(config[name]):
            raise ValueError(
                f"{name} must be that of the teacher, {theirs}, as both take the same images; got "
                f"{tuple(config[name])}"
            )


def _check_shapes(given: str, model: Any, variables: Mapping[str, Any], config: Config) -> None:
    side = config.image_size
    images = jax.ShapeDtypeStruct((1, side, side, len(config.mean)), np.float32)
    expected = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)
    found, wanted = (
        cast(dict[str, Any], traverse_util.flatten_dict(tree, sep="/"))
        for tree in (variables, expected)
    )
    there = {path: np.shape(leaf) for path, leaf in found.items()}
    for path, leaf in wanted.items():
        if there.get(path) != leaf.shape:
            raise ValueError(
                f"distillation.teacher: {path} must be of shape {leaf.shape} for these images and "
                f"classes, {given} has {there.get(path, 'none')}"
            )
