"""The size of a model, shown at the start of a run: parameters and operations."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
from clu import parameter_overview

from jaxvision.train.names import matching, without


def parameter_table(params: Mapping[str, Any], freeze: Sequence[str] = ()) -> str:
    """Numbers of parameters: of each part of the model, in total and frozen."""
    sizes = {
        name: sum(x.size for x in jax.tree.leaves(part)) for name, part in sorted(params.items())
    }
    sizes["total"] = sum(sizes.values())
    if freeze:
        trained = jax.tree.leaves(without(params, matching(params, freeze, "freeze")))
        sizes["frozen"] = sizes["total"] - sum(x.size for x in trained)
    width = max(map(len, sizes))
    return "\n".join(f"{name:<{width}}  {size:>13,}" for name, size in sizes.items())


def full_parameter_table(params: Mapping[str, Any]) -> str:
    """Every parameter with shape, size, mean and standard deviation."""
    return parameter_overview.get_parameter_overview(params)


def operations(lowered: jax.stages.Lowered) -> float | None:
    """Floating-point operations of a function as XLA counts them, or None if it does not."""
    analysis = lowered.cost_analysis()
    flops = (analysis or {}).get("flops", 0.0)
    return flops if flops > 0 else None
