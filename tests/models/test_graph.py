import functools

import jax
import network
import numpy as np
import pytest

from jaxvision import models
from jaxvision.models.graph.gcn import convolve
from jaxvision.models.graph.sparse import SparseFeatures
from jaxvision.ops.segments import segment_max, segment_mean

jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
EDGES = np.array([[0, 1], [1, 0], [1, 2], [2, 1], [0, 2], [2, 0], [2, 3], [3, 2]], np.int32)


def features(nodes=5):
    x = np.random.default_rng(0).normal(size=(nodes, 6)).astype(np.float32)
    return np.where(x > 0, x, 0)


def test_convolution_is_that_of_the_dense_matrix():
    adjacency = np.eye(5)
    adjacency[EDGES[:, 1], EDGES[:, 0]] = 1
    scale = adjacency.sum(axis=1) ** -0.5
    x = features()
    expected = (scale[:, None] * adjacency * scale[None]) @ x
    np.testing.assert_allclose(convolve(x, EDGES), expected, atol=1e-6)


def test_aggregates_of_nodes_without_neighbours_are_zero():
    rows, groups = np.float32([[-1] * 3, [-3] * 3]), np.array([0, 0])
    np.testing.assert_array_equal(segment_mean(rows, groups, 2), [[-2] * 3, [0] * 3])
    np.testing.assert_array_equal(segment_max(rows, groups, 2), [[-1] * 3, [0] * 3])


@pytest.mark.parametrize("variant", ["graph_sage_mean", "graph_sage_max"])
def test_sparse_features_give_the_same_logits(variant):
    x = features()
    rows, columns = np.nonzero(x)
    sparse = SparseFeatures(rows, columns, x[rows, columns], *x.shape)
    model = models.graph_network(variant, num_classes=3, hidden=4)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), x, EDGES, train=False))
    variables = network.filled(shapes)
    apply = jit(lambda v, x: model.apply(v, x, EDGES, train=False))
    logits = apply(variables, x)
    np.testing.assert_allclose(apply(variables, sparse), logits, atol=1e-5)
    assert logits.shape == (5, 3) and np.isfinite(logits).all()


def test_parameter_counts_on_cora():
    x, edges = (jax.ShapeDtypeStruct(s, d) for s, d in (((9, 1433), "float32"), ((2, 2), "int32")))
    for use_bias, expected in ((False, 23_040), (True, 23_063)):
        model = models.graph_network("gcn", num_classes=7, use_bias=use_bias)
        init = functools.partial(model.init, train=False)
        assert network.count(jax.eval_shape(init, jax.random.key(0), x, edges)) == expected
    with pytest.raises(ValueError, match="aggregator must be one of mean, max, got sum"):
        model = models.graph_network("graph_sage_mean", num_classes=7, aggregator="sum")
        jax.eval_shape(functools.partial(model.init, train=False), jax.random.key(0), x, edges)
