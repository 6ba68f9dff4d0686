"""Conv4 and Koch's network, filled as the references."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from reference import FORWARD, TRAINING, assert_agrees, count, gradients_that_agree, images_of

from jaxvision import pretrained
from jaxvision.losses.few_shot import prototypical_log_probabilities, query_loss
from jaxvision.losses.metric_learning import squared_distances


def test_conv4_trains_as_the_reference():
    case = fill.load_case("protonet_conv4")
    model, variables = pretrained.load("conv4", fill.fill_state(case["spec"]))
    assert count(variables["params"]) == case["num_params"] == 111_936
    way, shot = int(case["way"]), int(case["shot"])
    images = images_of(case)
    classes = jnp.repeat(jnp.arange(way), int(case["query"]))

    @jax.jit
    def results(variables, images):
        def loss(params):
            state = {"batch_stats": variables["batch_stats"]}
            x, state = model.apply(
                {"params": params, **state}, images, train=True, mutable=["batch_stats"]
            )
            support, queries = x[: way * shot].reshape(way, shot, -1), x[way * shot :]
            found = prototypical_log_probabilities(support, queries)
            distances = squared_distances(queries, support.mean(1))
            return query_loss(found, classes), (x, distances, found, state)

        value, grads = jax.value_and_grad(loss, has_aux=True)(variables["params"])
        return model.apply(variables, images, train=False), *value, grads

    ours, loss, (x, distances, found, state), grads = results(variables, images)
    assert_agrees(ours, case["eval_embeddings"], FORWARD)
    assert_agrees(x, case["train_embeddings"], TRAINING)
    assert_agrees(distances, case["distances"], TRAINING)
    assert_agrees(loss, case["loss"], TRAINING)
    correct = np.asarray(found.argmax(-1) == classes)
    assert correct.mean() == pytest.approx(float(case["accuracy"]))
    assert gradients_that_agree(case, "conv4", grads, state) == 3
    exported = pretrained.export("conv4", {"params": variables["params"], **state})
    for name in (k for k in case if k.startswith("stat:")):
        assert_agrees(exported[name.removeprefix("stat:")], case[name], TRAINING)


@pytest.mark.slow
def test_siamese_network_of_koch_matches_reference():
    case = fill.load_case("siamese_koch")
    state = fill.fill_state(case["spec"])
    model, variables = pretrained.load("siamese_koch", state)
    assert count(variables["params"]) == case["num_params"] == 38_951_745
    pairs = np.stack([case["first"], case["second"]], axis=1).astype(np.float32)
    pairs = pairs.transpose(0, 1, 3, 4, 2)

    @jax.jit
    def forward(variables, pairs):
        embedding = model.apply(variables, pairs[:, 0], train=False, method="embed")
        return model.apply(variables, pairs, train=False), embedding

    logits, embedding = forward(variables, pairs)
    assert_agrees(embedding, case["embedding"], FORWARD)
    assert_agrees(logits, case["logits"], FORWARD)
    loss = optax.sigmoid_binary_cross_entropy(logits, case["same"].astype(np.float32)).mean()
    assert_agrees(loss, case["loss"], TRAINING)
    exported = pretrained.export("siamese_koch", variables)
    assert all(np.array_equal(exported[name], state[name]) for name in state)


def test_koch_has_as_many_parameters_as_in_the_paper():
    case = fill.load_case("siamese_koch")
    assert sum(int(np.prod(shape)) for shape in case["spec"].values()) == 38_951_745
