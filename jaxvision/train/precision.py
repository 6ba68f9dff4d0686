"""Which floating-point type a network computes in."""

import jax
import jax.numpy as jnp

_BY_NAME = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


def compute_dtype(name: str) -> jnp.dtype:
    """Turns a config's `dtype` into a type; `auto` is bfloat16 on GPU and TPU, float32 on CPU.

    Parameters, statistics, predictions and losses are float32 whatever it is. XLA's CPU code for
    bfloat16 is slower than for float32.

    Raises:
        ValueError: If there is no such type, or for float16.
    """
    if name == "float16":
        raise ValueError(
            "dtype float16 is not supported: small gradients become 0 in it without loss scaling; "
            "use bfloat16 or auto"
        )
    if name == "auto":
        name = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    if name not in _BY_NAME:
        raise ValueError(f"dtype must be auto, {', '.join(_BY_NAME)}, got {name}")
    return jnp.dtype(_BY_NAME[name])
