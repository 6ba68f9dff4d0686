"""The contract between a problem and the training loop."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax
from clu import metrics

# Trees of arrays. `Params` are what the optimizer changes; `ModelState` is every other collection,
# as batch_stats.
Params = Any
ModelState = Any
# Arrays by name, and the experiment's constants as further keys. `truth`, a list of Python objects
# of an evaluation batch, is there for `measure` alone.
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
            batch: On the devices, of the global batch size; or a part of it where gradients are
                accumulated.
            step: Steps made so far, for losses that change with time.
            key: Randomness of this step.
        """
        ...

    def predict(self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array) -> Any:
        """Maps an evaluation batch to the arrays that `measure` and reports need. Runs in jit.

        Args:
            params: Parameters.
            state: Model state, without the collections that hold rows of a training batch: a row
                of an evaluation batch is a whole sequence, which starts from zeros.
            batch: On the devices, of the global batch size.
            key: A function of the seed and the batch's number: the same in each evaluation.
        """
        ...

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Compares predictions with a batch. Runs on the host, on numpy arrays.

        The result is merged over batches; its `compute` gives {name: float}. In one of several
        processes both are of its own rows, and results are pickled to be merged.
        """
        ...
