"""Classes of the nodes of one graph, of which some are known: all nodes are computed at once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxvision.metrics.classification import Classification
from jaxvision.models.graph.gcn import GCN
from jaxvision.models.graph.graph_sage import GraphSAGE
from jaxvision.models.graph.sparse import SparseFeatures
from jaxvision.tasks.task import Batch, Loss, ModelState, Params


@dataclasses.dataclass(frozen=True)
class NodeClassification:
    """Trains a network for graphs on `jaxvision.data.batch.NodeBatch`.

    Attributes:
        model: The network.
        num_features: F.
        class_names: Name of each class.
    """

    model: GCN | GraphSAGE
    num_features: int
    class_names: tuple[str, ...]

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network; it has no state."""
        variables = self.model.init(key, self._features(batch), batch["edges"], train=False)
        return variables["params"], {}

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the mean cross entropy of the nodes in the batch."""
        del step
        logits = self.model.apply(
            {"params": params},
            self._features(batch),
            batch["edges"],
            train=True,
            rngs={"dropout": key},
        )
        nodes = batch["nodes"]
        logits, labels = jnp.asarray(logits)[nodes], batch["labels"][nodes]
        terms = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return Loss(terms.mean(), state, {"accuracy": (logits.argmax(axis=-1) == labels).mean()})

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> jax.Array:
        """Computes the probabilities of the classes of all nodes of the graph [N, K]."""
        del state, key
        logits = self.model.apply(
            {"params": params}, self._features(batch), batch["edges"], train=False
        )
        return jax.nn.softmax(jnp.asarray(logits))

    def measure(self, predictions: np.ndarray, batch: Batch) -> Classification:
        """Compares the nodes in the batch with their labels."""
        nodes = np.asarray(batch["nodes"])
        examples = {
            "label": np.asarray(batch["labels"])[nodes],
            "index": nodes,
            "mask": np.ones(len(nodes), bool),
        }
        probabilities = np.asarray(predictions)[nodes]
        return Classification.from_model_output(
            probabilities=probabilities,
            batch=examples,  # pyright: ignore[reportArgumentType]
            class_names=self.class_names,
        )

    def _features(self, batch: Batch) -> SparseFeatures:
        return SparseFeatures(
            batch["rows"],
            batch["columns"],
            batch["values"],
            num_rows=len(batch["labels"]),
            num_columns=self.num_features,
        )
