"""Networks of the catalogue with inputs of the size that they are made for."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision import models
from jaxvision.models.detection import retinanet, yolox
from jaxvision.models.embedding import catalogue as embedding
from jaxvision.models.embedding import siamese
from jaxvision.models.generative import catalogue as generative
from jaxvision.models.generative import ddpm_unet
from jaxvision.models.segmentation import catalogue as segmentation
from jaxvision.models.sequence import transformer
from jaxvision.models.super_resolution import catalogue as super_resolution
from jaxvision.models.video import c3d
from jaxvision.models.video import resnet as clip_resnet

# Height, width and channels of inputs, by what a variant's name begins with; the first that fits.
_SIZES = {
    "lenet": (32, 32, 1),
    "c3d": (112, 112, 3),
    "r3d_": (112, 112, 3),
    "mc3_": (112, 112, 3),
    "r2plus1d_": (112, 112, 3),
    "conv4": (28, 28, 1),
    "siamese_koch": (105, 105, 1),
    "nin_cifar10": (32, 32, 3),
    "densenet_bc": (32, 32, 3),
    "inception_v3": (299, 299, 3),
    "xception": (299, 299, 3),
    "darknet": (256, 256, 3),
    "cspdarknet": (256, 256, 3),
    "yolox_nano": (416, 416, 3),
    "yolox_tiny": (416, 416, 3),
    "yolox": (640, 640, 3),
    "retinanet": (640, 640, 3),
    "unet_": (256, 256, 3),
    "unet": (572, 572, 1),
    "fcn_resnet": (520, 520, 3),
    "deeplabv3": (520, 520, 3),
    "fcn": (500, 500, 3),
    "segnet": (360, 480, 3),
    "srcnn": (256, 256, 1),
    "srresnet": (96, 96, 3),
    "rrdbnet": (96, 96, 3),
    "zssr": (256, 256, 3),
    "srgan_discriminator": (96, 96, 3),
    "ddpm_256": (256, 256, 3),
    "ddpm_small": (32, 32, 1),
    "ddpm_tiny": (16, 16, 1),
    "ddpm": (32, 32, 3),
}
_IMAGENET, _CIFAR = (224, 224, 3), (32, 32, 3)
_CLIP_FRAMES = 16
# A translator's subwords, and tokens of a sentence.
_VOCABULARY, _TOKENS = 37_000, 32


class Network(NamedTuple):
    """A network that can be run.

    Attributes:
        what: What an input is, as `image 640 x 640`.
        apply: Maps variables and inputs to outputs.
        init: Maps a key to variables.
        inputs: Maps a number of examples to the inputs.
    """

    what: str
    apply: Callable[..., Any]
    init: Callable[[jax.Array], Any]
    inputs: Callable[[int], tuple[np.ndarray, ...]]


def network(variant: str, *, image_size: int | None = None) -> Network:
    """Builds a variant of the catalogue.

    Args:
        variant: As `models.variants()` lists them.
        image_size: Side of the input in pixels; by default that of the reference.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    if variant in transformer.VARIANTS:
        return _translator(variant)
    if variant in generative.GENERATORS:
        return _generator(variant)
    if variant in generative.DISCRIMINATORS:
        return _discriminator(variant)
    height, width, channels = _size(variant)
    if image_size is not None:
        height = width = image_size
    if variant in ddpm_unet.VARIANTS:
        return _denoiser(variant, (height, width, channels))
    options: dict[str, Any] = {}
    if variant.startswith("vit") and image_size is not None:
        options["image_size"] = image_size
    if variant in yolox.VARIANTS:
        model = models.yolox(variant, num_classes=80)
    elif variant in retinanet.VARIANTS:
        model = models.retinanet(variant, num_classes=91)
    elif variant in segmentation.VARIANTS:
        model = models.segmenter(variant)
    elif variant in embedding.VARIANTS:
        model = models.embedding(variant)
    elif variant in super_resolution.VARIANTS:
        model = models.super_resolution(variant)
    else:
        model = models.classifier(variant, **options)

    what, frames = _stacked(variant)
    shape = (*frames, height, width, channels)

    def inputs(batch: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(0)
        return (rng.uniform(0, 1, (batch, *shape)).astype(np.float32),)

    return Network(
        f"{what} {height} x {width}",
        lambda variables, images: model.apply(variables, images, train=False),
        lambda key: model.init(key, jnp.zeros((1, *shape)), train=False),
        inputs,
    )


def _size(variant: str) -> tuple[int, int, int]:
    if variant.endswith("_cifar"):
        return _CIFAR
    return next((size for name, size in _SIZES.items() if variant.startswith(name)), _IMAGENET)


def _stacked(variant: str) -> tuple[str, tuple[int, ...]]:
    """Says what an input is, and the axis of images that it has before the height, if any."""
    if variant in c3d.VARIANTS or variant in clip_resnet.VARIANTS:
        return f"clip of {_CLIP_FRAMES} x", (_CLIP_FRAMES,)
    if variant in siamese.VARIANTS:
        return "pair of images", (2,)
    return "image", ()


def _generator(variant: str) -> Network:
    model: Any = models.generator(variant)

    def inputs(batch: int) -> tuple[np.ndarray, ...]:
        noise = np.random.default_rng(0).standard_normal((batch, model.latent))
        return (noise.astype(np.float32),)

    return Network(
        f"{model.latent} numbers for an image of {model.size} x {model.size}",
        lambda variables, noise: model.apply(variables, noise, train=False),
        lambda key: model.init(key, *inputs(1), train=False),
        inputs,
    )


def _discriminator(variant: str) -> Network:
    model: Any = models.discriminator(variant)
    maker: Any = models.generator(variant.replace("discriminator", "generator"))

    def inputs(batch: int) -> tuple[np.ndarray, ...]:
        images = np.random.default_rng(0).uniform(
            -1, 1, (batch, model.size, model.size, maker.channels)
        )
        return (images.astype(np.float32),)

    return Network(
        f"image {model.size} x {model.size}",
        lambda variables, images: model.apply(variables, images, train=False),
        lambda key: model.init(key, *inputs(1), train=False),
        inputs,
    )


def _denoiser(variant: str, size: tuple[int, int, int]) -> Network:
    model = models.ddpm_unet(variant)

    def inputs(batch: int) -> tuple[np.ndarray, ...]:
        images = np.random.default_rng(0).standard_normal((batch, *size)).astype(np.float32)
        return images, np.arange(batch, dtype=np.int32)

    return Network(
        f"noisy image {size[0]} x {size[1]} and time",
        lambda variables, images, t: model.apply(variables, images, t, train=False),
        lambda key: model.init(key, *inputs(1), train=False),
        inputs,
    )


def _translator(variant: str) -> Network:
    model = models.transformer(variant, vocabulary_size=_VOCABULARY)

    def inputs(batch: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(0)
        shape = (batch, _TOKENS)
        return tuple(rng.integers(3, _VOCABULARY, shape).astype(np.int32) for _ in range(2))

    return Network(
        f"{_TOKENS} tokens of source and target, all at once as in training",
        lambda variables, source, target: model.apply(variables, source, target, train=False),
        lambda key: model.init(key, *inputs(1), train=False),
        inputs,
    )
