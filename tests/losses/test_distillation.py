"""Soft targets, against Hinton's formulas in float64."""

import fill
import jax
import jax.numpy as jnp
import pytest
from reference import assert_agrees

from jaxvision.losses.classification import softmax_cross_entropy
from jaxvision.losses.distillation import soft_targets


@pytest.mark.parametrize("temperature", [1.0, 2.5, 20.0])
def test_loss_and_gradient_match_reference(temperature):
    case = fill.load_case("distillation")
    student, teacher = (
        jnp.asarray(case[f"{k}_logits"], jnp.float32) for k in ("student", "teacher")
    )
    targets = jax.nn.one_hot(case["labels"], 10)
    alpha, prefix = float(case["alpha"]), f"T{temperature}"

    def loss(student):
        soft = soft_targets(student, teacher, temperature=temperature).mean()
        hard = softmax_cross_entropy(student, targets).mean()
        return (1 - alpha) * hard + alpha * soft, (hard, soft)

    (value, (hard, soft)), grad = jax.jit(jax.value_and_grad(loss, has_aux=True))(student)
    # At T = 20 the divergence is a small difference of logarithms in float32.
    bound = 1e-5 if temperature < 20 else 1e-4
    assert_agrees(soft / temperature**2, case[f"{prefix}_kl"], bound)
    assert_agrees(hard, case["hard_cross_entropy"], 1e-5)
    assert_agrees(value, case[f"{prefix}_loss"], bound)
    assert_agrees(grad, case[f"{prefix}_grad"], bound)


def test_no_gradient_goes_to_the_teacher():
    x = jnp.asarray([[1.0, 2.0]])
    grad = jax.jit(jax.grad(lambda t: soft_targets(x, t, temperature=2.0).sum()))(2 * x)
    assert not grad.any()
