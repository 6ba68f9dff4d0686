"""PyTorch Geometric's GCN, through the importer of weights."""

import pathlib

import fill
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from reference import FORWARD, TRAINING, assert_agrees, state_of

from jaxvision import pretrained
from jaxvision.data.graph import read_graph, row_normalised
from jaxvision.models.graph.sparse import SparseFeatures

CORA = pathlib.Path(__file__).parents[3] / "shared" / "data" / "cora"


def agrees(case, features, edges, labels):
    state = state_of(case)
    model, variables = pretrained.load("gcn", state)
    assert sum(x.size for x in jax.tree.leaves(variables)) == case["num_params"]

    @jax.jit
    def results(variables):
        def objective(variables):
            logits, extra = model.apply(
                variables, features, edges, train=False, mutable=["intermediates"]
            )
            nodes = case["train"]
            terms = optax.softmax_cross_entropy_with_integer_labels(logits[nodes], labels[nodes])
            kernel = variables["params"]["layer1"]["kernel"]
            loss = terms.mean() + 2.5e-4 * jnp.square(kernel).sum()
            return loss, (logits, extra["intermediates"]["hidden"][0], terms.mean())

        return jax.value_and_grad(objective, has_aux=True)(variables)

    (loss, (logits, hidden, entropy)), grads = results(variables)
    assert_agrees(logits, case["logits"], FORWARD)
    assert_agrees(entropy, case["train_cross_entropy"], TRAINING)
    assert_agrees(loss, case["train_loss"], TRAINING)
    if "hidden" in case:
        assert_agrees(hidden, case["hidden"], FORWARD)
    exported = pretrained.export("gcn", grads)
    assert exported.keys() == state.keys()
    for key in case:
        kind, _, name = key.partition(":")
        if kind == "grad":
            assert_agrees(exported[name], case[key], TRAINING)
        if kind == "grad_sum":
            assert_agrees(exported[name].sum(axis=1), case[key], TRAINING)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_small_graph_matches_reference(sparse):
    case = fill.load_case("gcn_small")
    sums = case["features"].sum(axis=1, keepdims=True)
    x = case["features"] / np.where(sums == 0, 1, sums)
    rows, columns = np.nonzero(x)
    features = SparseFeatures(rows, columns, x[rows, columns], *x.shape) if sparse else x
    agrees(case, features, case["edges"], case["labels"])


@pytest.mark.slow
@pytest.mark.skipif(not CORA.exists(), reason="needs Cora in shared/data")
def test_cora_matches_reference():
    graph = row_normalised(read_graph(CORA))
    shape = dict(num_rows=len(graph.labels), num_columns=graph.num_features)
    features = SparseFeatures(graph.rows, graph.columns, graph.values, **shape)
    agrees(fill.load_case("gcn_cora"), features, graph.edges, graph.labels)
