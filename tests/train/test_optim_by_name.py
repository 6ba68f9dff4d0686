import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxvision.train.optim import OPTIMIZERS, optimizer

PARAMS = {"a": {"kernel": jnp.float32([[3.0, -4.0]]), "bias": jnp.float32([2.0])}}
GRADS = {"a": {"kernel": jnp.float32([[1.0, 2.0]]), "bias": jnp.float32([2.0])}}


def updates(transform, steps=1, grads=GRADS, **extra):
    state = transform.init(PARAMS)
    found = None
    for _ in range(steps):
        found, state = transform.update(grads, state, PARAMS, **extra)
    return found["a"]


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("sgd", optax.sgd(0.1)),
        ("momentum", optax.sgd(0.1, momentum=0.9)),
        ("nesterov", optax.sgd(0.1, momentum=0.9, nesterov=True)),
        # Adagrad is PyTorch's, see below.
        ("adadelta", optax.adadelta(0.1)),
        ("rmsprop", optax.rmsprop(0.1, momentum=0.9, eps_in_sqrt=False)),
        ("adam", optax.adam(0.1)),
        ("adamw", optax.adamw(0.1, weight_decay=0.0)),
        ("lamb", optax.lamb(0.1)),
    ],
)
def test_names_are_those_of_optax(name, reference):
    for one, two in zip(
        jax.tree.leaves(updates(optimizer(name, 0.1), 3)),
        jax.tree.leaves(updates(reference, 3)),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, rtol=1e-5)


def test_every_name_is_tested():
    assert len(OPTIMIZERS) == 9


def test_adagrad_by_hand_is_that_of_pytorch():
    transform = optimizer("adagrad", 0.1)
    params = {"kernel": jnp.float32([1.0, 1.0, 1.0])}
    state = transform.init(params)
    first, state = transform.update({"kernel": jnp.float32([1.0, 1e-8, 0.0])}, state, params)
    # The sums start at 0, and epsilon, 1e-10, is added to the root: 1e-8 / (1e-8 + 1e-10).
    np.testing.assert_allclose(first["kernel"], [-0.1, -0.1 / 1.01, 0.0], rtol=1e-5)
    second, _ = transform.update({"kernel": jnp.float32([2.0, 1e-8, 0.0])}, state, params)
    expected = [-0.1 * 2 / 5**0.5, -0.1 / (2**0.5 + 0.01), 0.0]
    np.testing.assert_allclose(second["kernel"], expected, rtol=1e-5)


def test_adagrad_can_start_and_divide_otherwise():
    found = updates(optimizer("adagrad", 0.1, initial_accumulator=3.0, epsilon=1.0))
    np.testing.assert_allclose(found["kernel"], [[-0.1 / 3, -0.2 / (7**0.5 + 1)]], rtol=1e-5)


def test_groups_scale_rate_and_decay_and_the_first_match_wins():
    params = {
        "backbone": {"stem": {"kernel": jnp.float32([2.0])}, "kernel": jnp.float32([2.0])},
        "head": {"kernel": jnp.float32([2.0]), "bias": jnp.float32([2.0])},
    }
    grads = jax.tree.map(jnp.ones_like, params)
    groups = (("backbone/stem/.*", 0.0, 1.0), ("backbone/.*", 0.5, 0.0), (".*/bias", 2.0, 1.0))
    transform = optimizer("sgd", 0.1, weight_decay=0.25, groups=groups)
    found, _ = transform.update(grads, transform.init(params), params)
    np.testing.assert_allclose(found["backbone"]["stem"]["kernel"], [0.0])
    np.testing.assert_allclose(found["backbone"]["kernel"], [-0.1 * 0.5], rtol=1e-6)
    np.testing.assert_allclose(found["head"]["kernel"], [-0.1 * (1 + 0.25 * 2)], rtol=1e-6)
    np.testing.assert_allclose(found["head"]["bias"], [-0.1 * 2.0], rtol=1e-6)


def test_groups_scale_decoupled_decay_and_l1():
    groups = ((".*/kernel", 1.0, 3.0),)
    found = updates(optimizer("adamw", 0.1, weight_decay=0.5, groups=groups))
    np.testing.assert_allclose(found["kernel"], [[-0.1 * (1 + 4.5), -0.1 * (1 - 6)]], rtol=1e-5)
    found = updates(optimizer("sgd", 1.0, l1=0.25, groups=groups))
    np.testing.assert_allclose(found["kernel"], [[-1.75, -1.25]])


def test_group_that_matches_nothing_is_an_error_that_suggests_a_name():
    transform = optimizer("sgd", 0.1, groups=(("b/.*", 0.1, 1.0),))
    with pytest.raises(ValueError, match="groups: 'b/..' matches no parameter.*a/kernel"):
        transform.init(PARAMS)


def test_decoupled_decay_passes_by_the_moments_and_leaves_biases_alone():
    # The first step of Adam is the sign of the gradient.
    found = updates(optimizer("adamw", 0.1, weight_decay=0.5))
    np.testing.assert_allclose(found["kernel"], [[-0.1 * (1 + 1.5), -0.1 * (1 - 2)]], rtol=1e-5)
    np.testing.assert_allclose(found["bias"], [-0.1], rtol=1e-5)
    # L2 goes through them: the sign of 1 + 1.5 and of 2 - 2 = 0.
    found = updates(optimizer("adam", 0.1, weight_decay=0.5))
    np.testing.assert_allclose(found["kernel"], [[-0.1, 0.0]], rtol=1e-5)


def test_l1_and_clipping_by_hand():
    found = updates(optimizer("sgd", 1.0, l1=0.25))
    np.testing.assert_allclose(found["kernel"], [[-1.25, -1.75]])
    np.testing.assert_allclose(found["bias"], [-2.0])
    # The gradient has length 3.
    np.testing.assert_allclose(
        updates(optimizer("sgd", 1.0, clip_norm=1.5))["kernel"], [[-0.5, -1.0]], rtol=1e-6
    )
    np.testing.assert_allclose(
        updates(optimizer("sgd", 1.0, clip_value=1.5))["kernel"], [[-1.0, -1.5]]
    )
    # Clipped before it decays.
    found = updates(optimizer("sgd", 1.0, clip_value=1.5, weight_decay=1.0))
    np.testing.assert_allclose(found["kernel"], [[-4.0, 2.5]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimizer("adams", 0.1), "optimizer must be one of sgd, momentum"),
        (lambda: optimizer("sgd", 0.1, l1=-1.0), "l1 must be at least 0, got -1"),
        (lambda: optimizer("sgd", 0.1, groups=(("a", 1.0),)), "groups must be of .pattern, "),
        (lambda: optimizer("sgd", 0.1, groups=(("a", -1.0, 1.0),)), "scales at least 0, got"),
    ],
)
def test_wrong_names_and_numbers(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_adam_goes_on_as_sgd_from_rest():
    switched = optimizer("adam", 0.1, sgd_after=2, sgd_scale=0.5)
    state, found = switched.init(PARAMS), []
    for _ in range(4):
        one, state = switched.update(GRADS, state, PARAMS)
        found.append(one["a"]["bias"][0])
    adam = updates(optimizer("adam", 0.1), 2)["bias"][0]
    # Momentum has seen one gradient of 2 at the third update, and 1 + 0.9 of them at the fourth.
    np.testing.assert_allclose(found[1:], [adam, -0.1 * 0.5 * 2, -0.1 * 0.5 * 2 * 1.9], rtol=1e-5)
    for wrong in (float("nan"), float("inf"), -1.0):
        with pytest.raises(ValueError, match="sgd_scale must be"):
            optimizer("adam", 0.1, sgd_after=2, sgd_scale=wrong)
