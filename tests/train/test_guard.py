import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.train.errors import TrainingError
from jaxvision.train.guard import FiniteGuard


@pytest.mark.parametrize(
    "index", [[4, 7, -1, -1], [[7, -1, -1], [4, -1, -1], [-1, -1, -1]]], ids=["rows", "packed"]
)
def test_examples_of_a_broken_step_are_named_and_padding_is_not(index):
    guard = FiniteGuard("number {}".format)
    batch = {"index": np.array(index, np.int32)}
    guard.watch(1, batch, {"loss": jnp.float32(1.0), "grad_norm": jnp.float32(2.0)})
    guard.watch(2, batch, {"loss": jnp.float32(1.0), "grad_norm": jnp.float32(jnp.inf)})
    with pytest.raises(TrainingError, match="step 2: .*grad_norm = inf") as error:
        guard.flush()
    named = [line for line in str(error.value).splitlines() if line.startswith("  ")]
    assert sorted(named) == ["  number 4", "  number 7"]
