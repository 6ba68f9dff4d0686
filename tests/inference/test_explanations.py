"""What a classifier sees, on networks whose answer is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxvision.data.augment.fixed_crop import CenterCrop
from jaxvision.inference.classifier import Classifier
from jaxvision.inference.explanations import METHODS, explain
from jaxvision.inference.relu_rules import with_relu_rule
from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.tasks.classification import ImageClassification


class Maps(nn.Module):
    """Two maps at a quarter of the size: bright above grey, and dark below it."""

    @nn.compact
    def __call__(self, images, *, train):
        x = nn.avg_pool(images, (4, 4), strides=(4, 4)).mean(-1, keepdims=True)
        return {4: nn.relu(jnp.concatenate([x, -x], -1))}


@pytest.fixture(scope="module")
def model():
    """Says bright or dark."""
    network = PooledClassifier(Maps(), 2)
    task = ImageClassification(network, ("bright", "dark"), mean=(0.5,) * 3, std=(0.5,) * 3)
    variables = {"params": {"head": {"kernel": 9 * jnp.eye(2), "bias": jnp.zeros(2)}}}
    return Classifier(task, variables, CenterCrop((16, 16)))


@pytest.fixture(scope="module")
def image():
    """Grey, with a white square at the top left and a black one at the bottom right."""
    x = np.full((16, 16, 3), 128, np.uint8)
    x[:8, :8], x[8:, 8:] = 255, 40
    return x


@pytest.mark.parametrize("method", METHODS)
def test_each_class_is_seen_where_it_is(model, image, method):
    for name, there, elsewhere in (
        ("bright", (slice(0, 6), slice(0, 6)), (slice(10, 16), slice(10, 16))),
        ("dark", (slice(10, 16), slice(10, 16)), (slice(0, 6), slice(0, 6))),
    ):
        found = explain(model, image, method, class_name=name, patch=4, stride=2)
        values = np.abs(found.values) if found.values.ndim == 3 else found.values
        assert found.class_name == name
        assert values[there].mean() > 2 * max(values[elsewhere].mean(), 0) or (
            # Zeiler's deconvolution goes through maps that were not active.
            method == "deconvolution" and values[there].mean() > 0
        )
    assert found.plot().shape[1] > 2 * 224 and found.plot().std() > 10
    assert explain(model, image, method).class_name == "bright"
    assert tuple(found.rows()[0]) == found.columns and found.summary().startswith("dark ")
    assert np.shape(found.to_dict()["values"]) == found.values.shape


def test_relu_rules_by_hand():
    def network(x):
        return (nn.relu(x) * jnp.float32([1.0, -1.0, 2.0, -2.0])).sum() + jax.jit(nn.relu)(x[0])

    x = jnp.float32([1.0, 1.0, -1.0, -1.0])
    np.testing.assert_allclose(jax.jit(jax.grad(network))(x), [2, -1, 0, 0])
    found = {rule: with_relu_rule(network, rule) for rule in METHODS[2:]}
    np.testing.assert_allclose(jax.jit(jax.grad(found["deconvolution"]))(x), [2, 0, 2, 0])
    np.testing.assert_allclose(jax.jit(jax.grad(found["guided_backpropagation"]))(x), [2, 0, 0, 0])
    np.testing.assert_allclose(found["deconvolution"](x), network(x))
    with pytest.raises(ValueError, match="for networks with ReLU"):
        with_relu_rule(lambda x: jnp.tanh(x).sum(), "deconvolution")(x)


def test_wrong_words_are_refused(model, image):
    with pytest.raises(ValueError, match="method must be one of grad_cam"):
        explain(model, image, "gradcam")
    with pytest.raises(ValueError, match="class_name must be one of bright, dark"):
        explain(model, image, class_name="red")
    with pytest.raises(ValueError, match="path of a module that the network calls, got 'stage9'"):
        explain(model, image, layer="stage9")
    with pytest.raises(ValueError, match=r"patch must be in \[1, 16\]"):
        explain(model, image, "occlusion", patch=17)
