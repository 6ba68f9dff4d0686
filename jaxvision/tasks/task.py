"""The contract between a problem and the training loop."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax
from clu import metrics

# Trees of arrays. `Params` are what the optimizer changes; `ModelState` is every other collection,
# as batch_stats.
Params = Any
ModelState = Any
Batch = Mapping[str, Any]


class Loss(NamedTuple):
    """What a task's loss returns.

    Attributes:
        value: The scalar to minimise.
        state: The model state after this batch.
        logs: Scalars to show and to record.
    """

    value: jax.Array
    state: ModelState
    logs: dict[str, jax.Array]


class Task(Protocol):
    """A problem to train on; the loop knows nothing else. Tasks are frozen dataclasses."""

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the model for batches of this shape. Runs in jit."""
        ...

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the loss of a batch. Runs in jit and is differentiated by `params`.

        Args:
            params: Parameters.
            state: Model state.
            batch: On the device, of the global batch size.
            step: Steps made so far, for losses that change with time.
            key: Randomness of this step.
        """
        ...

    def predict(self, params: Params, state: ModelState, batch: Batch) -> Any:
        """Maps an evaluation batch to the arrays that `measure` and drawings need. Runs in jit."""
        ...

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Compares predictions with a batch. Runs on the host, on numpy arrays.

        The result is merged over batches; its `compute` gives {name: float}.
        """
        ...
