"""Memory of a training step of ViT-B/16 with and without `remat`: compiled, not run.

    python benchmarks/remat.py
    python benchmarks/remat.py --model=swin_t --batch-size=32

The step is the whole one: loss, gradient and AdamW's update in float32. What counts is the memory
that XLA sets aside for values between the step's operations, beside state and batch.

On a processor XLA takes away the barriers that keep it from sharing what is computed anew with what
was computed before, and `remat` saves nothing; the pass that does so is left out here.
"""

import argparse
import time

import jax
import jax.numpy as jnp

from jaxvision import models
from jaxvision.tasks.classification import ImageClassification
from jaxvision.train.optim import optimizer
from jaxvision.train.state import TrainState
from jaxvision.train.step import make_step

CLASSES = tuple(map(str, range(1000)))
KEEP_BARRIERS = {"xla_disable_hlo_passes": "cse_barrier_expander"}


def compiled_step(model: str, batch_size: int, image_size: int, remat: bool) -> jax.stages.Compiled:
    """Compiles a step for a batch of that shape."""
    task = ImageClassification(
        models.classifier(model, num_classes=len(CLASSES), remat=remat), CLASSES
    )
    adamw = optimizer("adamw", 1e-3, weight_decay=0.05)
    sides = (batch_size, image_size, image_size, 3)
    batch = {
        "image": jax.ShapeDtypeStruct(sides, jnp.uint8),
        "label": jax.ShapeDtypeStruct((batch_size,), jnp.int32),
    }
    key = jax.eval_shape(jax.random.key, 0)
    params, model_state = jax.eval_shape(task.init, key, batch)
    state = TrainState(
        step=jax.ShapeDtypeStruct((), jnp.int32),
        params=params,
        model_state=model_state,
        opt_state=jax.eval_shape(adamw.init, params),
        ema=None,
    )
    step = jax.jit(make_step(task, adamw, None), donate_argnums=0)
    return step.lower(state, batch, key).compile(KEEP_BARRIERS)


def main() -> None:
    """Compiles and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="vit_b_16")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=224)
    options = parser.parse_args()
    sizes = []
    for remat in (False, True):
        started = time.perf_counter()
        compiled = compiled_step(options.model, options.batch_size, options.image_size, remat)
        size = compiled.memory_analysis().temp_size_in_bytes
        sizes.append(size)
        print(
            f"{'with' if remat else 'without'} remat: {size / 2**30:.2f} GiB "
            f"(compiled in {time.perf_counter() - started:.0f} s)",
            flush=True,
        )
    print(f"with / without: {sizes[1] / sizes[0]:.3f}")


if __name__ == "__main__":
    main()
