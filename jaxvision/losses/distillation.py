"""Learning from the soft targets of a teacher.

Distilling the Knowledge in a Neural Network, Hinton et al. 2015, https://arxiv.org/abs/1503.02531,
section 2.
"""

import jax
import jax.numpy as jnp


def soft_targets(student: jax.Array, teacher: jax.Array, *, temperature: float) -> jax.Array:
    """T^2 KL(p || q) of the softmax p of the teacher's logits / T and q of the student's.

    Gradients shrink with 1 / T^2; the factor keeps the share of soft and hard targets the same at
    every temperature. Minimising the divergence is minimising the paper's cross entropy, whose
    lowest value is the teacher's entropy instead of 0.

    Args:
        student: Logits [B, K].
        teacher: Logits [B, K]; no gradient goes to them.
        temperature: T.

    Returns:
        Losses [B].
    """
    teacher = jax.lax.stop_gradient(teacher)
    log_p = jax.nn.log_softmax(teacher / temperature)
    log_q = jax.nn.log_softmax(student / temperature)
    return temperature**2 * (jnp.exp(log_p) * (log_p - log_q)).sum(axis=-1)
