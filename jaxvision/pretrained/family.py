"""How the weights of a family of models are named and laid out, by each of their sources."""

import dataclasses
import functools
import re
from collections.abc import Callable, Collection, Mapping, Sequence

import jax
import numpy as np
from flax import linen as nn

from jaxvision.pretrained.layout import TORCH, Layout
from jaxvision.pretrained.names import Rules, rename

State = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Source:
    """One implementation whose weights are read and written.

    Attributes:
        label: Its name, such as "torchvision".
        rules: The name table, from our paths to its names.
        layouts: Rows (pattern that a whole path of ours matches, layout of the tensor); the first
            that matches counts.
        layout: Layout of all other tensors.
        known_by: A regular expression that is found in a name of these weights and not in those of
            the sources that come after it.
        separator: Stands between the parts of a name.
        ignored: Last parts of the names of tensors that are computed here instead of read.
        unpack: Takes tensors that hold several variables apart, or joins those that hold parts of
            one, and drops what belongs to no model; gives a tensor for each variable.
        pack: The inverse of `unpack`.
        computed: Maps our variables by path to the tensors of `ignored` that files hold.
    """

    label: str
    rules: Rules
    layouts: Sequence[tuple[str, Layout]] = ()
    layout: Layout = TORCH
    known_by: str = ""
    separator: str = "."
    # PyTorch counts the batches its running statistics saw; only a momentum of None reads it.
    ignored: tuple[str, ...] = ("num_batches_tracked",)
    unpack: Callable[[State], State] = lambda state: state
    pack: Callable[[State], State] = lambda state: state
    computed: Callable[[State], State] = lambda variables: {}

    def reference_name(self, path: str) -> str:
        """Translates a variable's path, `backbone/stem/conv/kernel`, to the reference's name."""
        return rename(path, self.rules).replace("/", self.separator)

    def layout_of(self, path: str) -> Layout:
        """Returns the layout of the tensor that holds the variable of this path."""
        return next((x for pattern, x in self.layouts if re.fullmatch(pattern, path)), self.layout)


@dataclasses.dataclass(frozen=True)
class Weights:
    """Tensors of a reference, looked up by our paths.

    Attributes:
        source: Whose they are.
        state: One tensor for each variable, under the names of the source.
    """

    source: Source
    state: State

    def get(self, path: str, axes: int | None = None) -> np.ndarray | None:
        """Returns the tensor of a variable, in the reference's layout, or None.

        Raises:
            ValueError: If it has not that many axes, or one is of no length.
        """
        name = self.source.reference_name(path)
        value = self.state.get(name)
        if value is not None and axes is not None and (value.ndim != axes or not value.size):
            raise ValueError(
                f"{name} must have {axes} axes, none of them empty, got the shape {value.shape}"
            )
        return value

    def size(self, path: str, default: int) -> int:
        """Returns the length of a vector such as the bias of the last layer, which is K."""
        value = self.get(path, axes=1)
        return default if value is None else len(value)


def _unchanged(model: nn.Module, weights: Weights) -> Weights:
    return weights


def _rgb(weights: Weights) -> int:
    return 3


def _image(side: int, channels: int) -> tuple[jax.ShapeDtypeStruct, ...]:
    return (jax.ShapeDtypeStruct((1, side, side, channels), np.float32),)


def clips(frames: int) -> Callable[[int, int], tuple[jax.ShapeDtypeStruct, ...]]:
    """Returns the `Family.inputs` of models that take clips of so many frames, or pairs."""

    def inputs(side: int, channels: int) -> tuple[jax.ShapeDtypeStruct, ...]:
        return (jax.ShapeDtypeStruct((1, frames, side, side, channels), np.float32),)

    return inputs


@dataclasses.dataclass(frozen=True)
class Family:
    """Models that share a name table.

    Attributes:
        names: Variants, as `models.variants()` lists them.
        sources: Maps a variant to its sources; the first is what `export` writes by default and
            what weights are taken for that no other is known by.
        build: Builds the variant that the weights belong to, with as many classes.
        image_side: Side in pixels of an image that the models take.
        channels: Number of channels of the images that weights are for.
        inputs: Maps side and channels to the shapes of what the models take.
        resize: Fits tensors that depend on the model's image size.
        read_file: Reads a variant's file in a format of the family's own, by its ending.
    """

    names: Collection[str]
    sources: Callable[[str], tuple[Source, ...]]
    build: Callable[[str, Weights], nn.Module]
    image_side: int = 64
    channels: Callable[[Weights], int] = _rgb
    inputs: Callable[[int, int], tuple[jax.ShapeDtypeStruct, ...]] = _image
    resize: Callable[[nn.Module, Weights], Weights] = _unchanged
    read_file: Mapping[str, Callable[[str, str], State]] = dataclasses.field(default_factory=dict)

    def read(self, name: str, state: State) -> Weights:
        """Recognises the source of a state dict by its names."""
        first, *others = self.sources(name)
        for source in others:
            if any(re.search(source.known_by, key) for key in state):
                return Weights(source, source.unpack(state))
        return Weights(first, first.unpack(state))

    def shapes(self, model: nn.Module, channels: int = 3) -> dict[str, dict]:
        """Returns the shapes and dtypes of a model's variables without computing them."""
        return variable_shapes(model, self.inputs(self.image_side, channels))


def variable_shapes(model: nn.Module, inputs: tuple[jax.ShapeDtypeStruct, ...]) -> dict[str, dict]:
    """Returns the shapes and dtypes of a model's variables for inputs of these shapes."""
    try:
        found = _traced(model, inputs)
    except TypeError:  # Models whose fields are lists or arrays cannot be kept.
        found = _traced.__wrapped__(model, inputs)
    return jax.tree.map(lambda x: x, found)  # a copy


@functools.lru_cache(maxsize=8)  # tracing is most of the time that reading or writing takes
def _traced(model: nn.Module, inputs: tuple[jax.ShapeDtypeStruct, ...]) -> dict[str, dict]:
    return jax.eval_shape(lambda *x: model.init(jax.random.key(0), *x, train=False), *inputs)


def check_depth(name: str, depth: int, weights: Weights, blocks: Sequence[str]) -> None:
    """Checks that weights have as many blocks as a variant whose blocks are all of one shape.

    Without it, weights of a deeper variant would be hundreds of tensors that are not used.

    Args:
        name: The variant.
        depth: Its number of blocks.
        weights: The weights.
        blocks: Paths of one variable in each block that a model of the family can have.

    Raises:
        ValueError: If the weights have blocks, but not as many.
    """
    count = sum(weights.get(path) is not None for path in blocks)
    if count and count != depth:
        raise ValueError(
            f"{name} has {depth} blocks, the weights have {count}: they are of another variant"
        )
