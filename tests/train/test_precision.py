import jax.numpy as jnp
import pytest

from jaxvision.train.precision import compute_dtype


def test_types_by_name():
    assert compute_dtype("auto") == jnp.float32  # on a processor
    assert compute_dtype("bfloat16") == jnp.bfloat16


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("float16", "float16 is not supported.*without loss scaling; use bfloat16 or auto"),
        ("float", "dtype must be auto, float32, bfloat16, got float"),
    ],
)
def test_types_without_enough_range_and_unknown_ones_are_errors(name, message):
    with pytest.raises(ValueError, match=message):
        compute_dtype(name)
