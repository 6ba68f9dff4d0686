"""Losses of image classification, one value an example."""

import jax
import jax.numpy as jnp
import optax


def softmax_cross_entropy(
    logits: jax.Array,
    targets: jax.Array,
    *,
    label_smoothing: float = 0.0,
    class_weights: jax.Array | None = None,
) -> jax.Array:
    """Cross entropy between targets and the softmax of logits.

    Args:
        logits: [B, K].
        targets: Probability of each class [B, K].
        label_smoothing: Share of each target that is spread evenly over all classes (Szegedy et al.
            2015, https://arxiv.org/abs/1512.00567, section 7).
        class_weights: Factor of each class's term [K]; the mean over a batch is not divided by
            them, so that a rare class counts more whatever the rest of the batch is.

    Returns:
        Losses [B].
    """
    targets = optax.smooth_labels(targets, label_smoothing)
    if class_weights is not None:
        targets = targets * class_weights[None]
    return optax.softmax_cross_entropy(logits, targets)


def binary_cross_entropy(
    logits: jax.Array,
    targets: jax.Array,
    *,
    label_smoothing: float = 0.0,
    class_weights: jax.Array | None = None,
) -> jax.Array:
    """Mean over the classes of the cross entropy between targets and the sigmoid of logits.

    Args:
        logits: [B, K].
        targets: Probability of each class [B, K]; any number of classes may be present.
        label_smoothing: Share by which targets are moved towards 1/2.
        class_weights: Factor of each class's term [K].

    Returns:
        Losses [B].
    """
    targets = targets * (1.0 - label_smoothing) + 0.5 * label_smoothing
    terms = optax.sigmoid_binary_cross_entropy(logits, targets)
    return _weighted_mean(terms, class_weights)


def kl_divergence(
    logits: jax.Array,
    targets: jax.Array,
    *,
    label_smoothing: float = 0.0,
    class_weights: jax.Array | None = None,
) -> jax.Array:
    """Kullback-Leibler divergence of the softmax of logits from targets.

    It is the cross entropy less the targets' own entropy, so that it is 0 where both are equal.

    Args:
        logits: [B, K].
        targets: Probability of each class [B, K].
        label_smoothing: As of `softmax_cross_entropy`.
        class_weights: As of `softmax_cross_entropy`.

    Returns:
        Losses [B].
    """
    targets = optax.smooth_labels(targets, label_smoothing)
    # 0 log 0 is 0.
    entropy = targets * jnp.log(jnp.where(targets > 0, targets, 1.0))
    terms = entropy - targets * jax.nn.log_softmax(logits)
    return (terms if class_weights is None else terms * class_weights[None]).sum(axis=-1)


def mean_squared_error(
    logits: jax.Array,
    targets: jax.Array,
    *,
    label_smoothing: float = 0.0,
    class_weights: jax.Array | None = None,
) -> jax.Array:
    """Mean over the classes of (output - target)^2, where the outputs are the logits themselves.

    Hui and Belkin 2020, https://arxiv.org/abs/2006.07322, equation 1. The largest output is the
    class; the softmax of such outputs is no calibrated probability.

    Args:
        logits: [B, K].
        targets: Probability of each class [B, K].
        label_smoothing: As of `softmax_cross_entropy`.
        class_weights: Factor of each class's term [K].

    Returns:
        Losses [B].
    """
    error = logits - optax.smooth_labels(targets, label_smoothing)
    return _weighted_mean(jnp.square(error), class_weights)


def huber(
    logits: jax.Array,
    targets: jax.Array,
    *,
    label_smoothing: float = 0.0,
    class_weights: jax.Array | None = None,
) -> jax.Array:
    """As `mean_squared_error`, with error^2 / 2 up to an error of 1 and |error| - 1/2 beyond it.

    Huber 1964, https://doi.org/10.1214/aoms/1177703732: outliers have a bounded gradient.

    Args:
        logits: [B, K].
        targets: Probability of each class [B, K].
        label_smoothing: As of `softmax_cross_entropy`.
        class_weights: Factor of each class's term [K].

    Returns:
        Losses [B].
    """
    targets = optax.smooth_labels(targets, label_smoothing)
    return _weighted_mean(optax.huber_loss(logits, targets), class_weights)


def softmax_focal(
    logits: jax.Array,
    targets: jax.Array,
    *,
    gamma: float = 2.0,
    label_smoothing: float = 0.0,
    class_weights: jax.Array | None = None,
) -> jax.Array:
    """Cross entropy with each class's term times (1 - p)^gamma: easy examples count less.

    Lin et al. 2017, https://arxiv.org/abs/1708.02002, equation 4, for the softmax.

    Args:
        logits: [B, K].
        targets: Probability of each class [B, K].
        gamma: 0 (the cross entropy) or at least 1: between, the gradient at p = 1 is infinite.
        label_smoothing: As in `softmax_cross_entropy`.
        class_weights: Factor of each class's term [K].

    Returns:
        Losses [B].
    """
    _check_gamma(gamma)
    targets = optax.smooth_labels(targets, label_smoothing)
    if class_weights is not None:
        targets = targets * class_weights[None]
    log_p = jax.nn.log_softmax(logits)
    return -(targets * (1.0 - jnp.exp(log_p)) ** gamma * log_p).sum(axis=-1)


def sigmoid_focal(
    logits: jax.Array,
    targets: jax.Array,
    *,
    gamma: float = 2.0,
    label_smoothing: float = 0.0,
    class_weights: jax.Array | None = None,
) -> jax.Array:
    """Mean over the classes of the focal loss of the sigmoid, without alpha.

    Lin et al. 2017, https://arxiv.org/abs/1708.02002, equation 4.

    Args:
        logits: [B, K].
        targets: Probability of each class [B, K].
        gamma: 0 (the binary cross entropy) or at least 1.
        label_smoothing: As in `binary_cross_entropy`.
        class_weights: Factor of each class's term [K].

    Returns:
        Losses [B].
    """
    _check_gamma(gamma)
    targets = targets * (1.0 - label_smoothing) + 0.5 * label_smoothing
    terms = optax.sigmoid_focal_loss(logits, targets, gamma=gamma)
    return _weighted_mean(terms, class_weights)


def _check_gamma(gamma: float) -> None:
    if gamma != 0 and gamma < 1:
        raise ValueError(f"gamma must be 0 or at least 1, got {gamma}")


def _weighted_mean(terms: jax.Array, class_weights: jax.Array | None) -> jax.Array:
    if class_weights is not None:
        terms = terms * class_weights[None]
    return terms.mean(axis=-1)
