"""Our variables to a reference's checkpoint, the inverse of `load`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxvision.pretrained import families
from jaxvision.pretrained.family import Weights
from jaxvision.pretrained.variables import flat, raise_if_any, to_state


def export(
    name: str, variables: Mapping[str, Any], *, source: str | None = None
) -> dict[str, np.ndarray]:
    """Writes a model's variables under the reference's names and in its layout.

        state = pretrained.export("resnet50", variables)
        safetensors.numpy.save_file(state, "resnet50.safetensors")

    `load` reads the result back to the same bits, and so does the reference. Where it keeps what we
    compute, such as PyTorch's `num_batches_tracked` (0) or Swin's tables of positions, that is
    written, too.

    Args:
        name: A variant, as `models.variants()` lists them.
        variables: {"params", "batch_stats"} of the variant, with any number of classes.
        source: Whose names, where several implementations share a model: torchvision, timm or
            authors of Swin; by default the first that `families.family(name).sources` lists.

    Returns:
        {reference name: array}.

    Raises:
        ValueError: If there is no such variant or source, or the variables are not the variant's;
            the message lists what differs.
    """
    family, reference = families.family(name), families.source(name, source)
    state = to_state(variables, reference)
    weights = Weights(reference, state)
    template = flat(family.shapes(family.build(name, weights), family.channels(weights)))
    # Frozen statistics hold in `batch_stats` what others hold in `params`: compare without.
    expected = {"/".join(key[1:]): leaf.shape for key, leaf in template.items()}
    given = {"/".join(key[1:]): np.shape(leaf) for key, leaf in flat(variables).items()}
    raise_if_any(
        f"the variables are not those of {name}",
        {
            "missing": [path for path in expected if path not in given],
            f"not in {name}": [path for path in given if path not in expected],
            "of another shape": [
                f"{path}: expected {shape}, got {given[path]}"
                for path, shape in expected.items()
                if path in given and given[path] != shape
            ],
        },
    )
    # Splitting and joining may have left views; `ascontiguousarray` would give counters an axis.
    return {key: np.asarray(value, order="C") for key, value in reference.pack(state).items()}
