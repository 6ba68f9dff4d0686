"""A training step of our ResNet-50 against one written with plain flax layers.

    python benchmarks/resnet_step.py --batch-size=8 --image-size=128

The plain one is `nn.Conv` and `nn.BatchNorm` in the way of flax's own ImageNet example. Steps of
the two take turns; the ratio of the medians is what counts, the seconds are of this machine alone.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from jaxvision import models


class PlainBlock(nn.Module):
    """A bottleneck."""

    width: int
    stride: int
    conv: Callable[..., Any]
    norm: Callable[..., Any]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, H, W, C] to [B, H / stride, W / stride, 4 * width]."""
        y = nn.relu(self.norm()(self.conv(self.width, (1, 1))(x)))
        spatial = self.conv(self.width, (3, 3), (self.stride, self.stride), padding=1)
        y = nn.relu(self.norm()(spatial(y)))
        y = self.norm()(self.conv(4 * self.width, (1, 1))(y))
        if x.shape != y.shape:
            x = self.norm()(self.conv(4 * self.width, (1, 1), (self.stride, self.stride))(x))
        return nn.relu(x + y)


class PlainResNet50(nn.Module):
    """ResNet-50 v1.5."""

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3] to logits [B, 1000]."""
        conv = functools.partial(nn.Conv, use_bias=False)
        norm = functools.partial(nn.BatchNorm, use_running_average=not train, momentum=0.9)
        x = nn.relu(norm()(conv(64, (7, 7), (2, 2), padding=3)(images)))
        x = nn.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        for stage, blocks in enumerate((3, 4, 6, 3)):
            for i in range(blocks):
                stride = 2 if stage and i == 0 else 1
                x = PlainBlock(64 * 2**stage, stride, conv, norm)(x)
        return nn.Dense(1000)(x.mean(axis=(1, 2)))


def trainer(model: nn.Module, images: jax.Array, labels: jax.Array) -> Callable[[], None]:
    """Returns a function that makes a step and waits for it."""
    variables = jax.jit(functools.partial(model.init, train=False))(jax.random.key(0), images)
    optimizer = optax.sgd(0.1, momentum=0.9)

    def step(params: Any, stats: Any, moments: Any) -> tuple[Any, Any, Any]:
        def objective(params: Any) -> tuple[jax.Array, Any]:
            logits, updated = model.apply(
                {"params": params, "batch_stats": stats},
                images,
                train=True,
                mutable=["batch_stats"],
            )
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
            return loss, updated["batch_stats"]

        grads, stats = jax.grad(objective, has_aux=True)(params)
        updates, moments = optimizer.update(grads, moments, params)
        return optax.apply_updates(params, updates), stats, moments

    params = variables["params"]
    state = [params, variables["batch_stats"], optimizer.init(params)]
    compiled = jax.jit(step, donate_argnums=(0, 1, 2)).lower(*state).compile()

    def run() -> None:
        state[:] = jax.block_until_ready(compiled(*state))

    return run


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=15)
    options = parser.parse_args()
    images = jax.random.normal(
        jax.random.key(1), (options.batch_size, options.image_size, options.image_size, 3)
    )
    labels = jnp.arange(options.batch_size)
    steps = {
        "ours": trainer(models.classifier("resnet50"), images, labels),
        "plain flax": trainer(PlainResNet50(), images, labels),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(options.steps + 2):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if turn >= 2:  # the first ones warm caches up
                seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name}: {median:.3f} s a step, fastest {min(seconds[name]):.3f}")
    print(f"ours / plain flax: {medians['ours'] / medians['plain flax']:.3f}")


if __name__ == "__main__":
    main()
