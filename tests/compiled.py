"""Networks as one program, which is compiled sooner than their operations one by one."""

import jax


def init(model, key, *arguments, **options):
    """Returns the first variables of a network."""
    return jax.jit(lambda *x: model.init(*x, **options))(key, *arguments)


def apply(model, variables, *arguments, **options):
    """Returns what a network computes; arguments are arrays, options are not."""
    return jax.jit(lambda *x: model.apply(*x, **options))(variables, *arguments)
