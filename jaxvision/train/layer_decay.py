"""Layer-wise learning-rate decay: the nearer a part is to the input, the smaller its steps.

Bao et al. 2021, BEiT, https://arxiv.org/abs/2106.08254, appendix H: a parameter's learning rate is
scaled by decay^(depth from the top), where everything above the last block has depth 0. Parts are
told apart by their names: the blocks of a ViT or Swin, and the stages of a CNN.
"""

import re
from collections.abc import Sequence
from typing import Any

import jax

from jaxvision.train.names import name_of

_BACKBONE = "backbone/"
# What comes before the first block.
_FIRST = re.compile(r"stem|patch_|class_token|position_embedding")
_NUMBERED = re.compile(r"(stage|block|transition|inception|conv|merge)(\d+)(?:_block(\d+))?")
# Swin's blocks are counted one by one, as a ViT's: its stages differ in depth.
_TRANSFORMER = "backbone/patch_embedding/"

Group = tuple[str, float, float]  # (pattern, learning-rate scale, decay scale)


def layer_groups(names: Sequence[str], decay: float) -> tuple[Group, ...]:
    """Writes the groups of an optimizer that scale learning rates by depth.

        layer_groups(["backbone/block1/mlp/kernel", "head/kernel"], 0.5)
        # (("backbone/block1(/.*)?", 0.5, 1.0),)

    Args:
        names: Whole names of all parameters, as `backbone/stage2_block1/spatial/conv/kernel`.
        decay: Factor from a layer to the one below it, in (0, 1].

    Returns:
        (pattern, learning-rate scale, decay scale) of each part of the backbone below its top, the
        lowest first. What no pattern matches is the top: the head, and the backbone's last norm.

    Raises:
        ValueError: If `decay` is out of its range, or the network has no backbone with parts in an
            order.
    """
    if not 0 < decay <= 1:
        raise ValueError(f"optimizer.layer_decay must be in (0, 1], got {decay}")
    inside = [name.removeprefix(_BACKBONE) for name in names if name.startswith(_BACKBONE)]
    parts = sorted({name.partition("/")[0] for name in inside})
    by_block = any(name.startswith(_TRANSFORMER) for name in names)
    places = {part: _place(part, by_block) for part in parts}
    ordered = sorted({place for place in places.values() if place is not None})
    if not ordered:
        raise ValueError(
            "optimizer.layer_decay needs trained parameters in backbone/, in stages or blocks with "
            f"numbers, got {', '.join(names[:3]) or 'none'}"
        )
    # A merge between stages has the rate of the block before it.
    blocks = sorted({place for part, place in places.items() if place and "merge" not in part})
    found = []
    for part, place in places.items():
        if place is not None:
            below = [block for block in blocks if block <= place]
            depth = len(blocks) + 1 - max(len(below), 1)
            found.append((depth, part))
    return tuple(
        (f"{_BACKBONE}{re.escape(part)}(/.*)?", decay**depth, 1.0)
        for depth, part in sorted(found, key=lambda each: (-each[0], each[1]))
    )


def layer_scales(params: Any, decay: float) -> Any:
    """Returns a tree of the learning rates' scales; see `layer_groups`."""
    paths, tree = jax.tree_util.tree_flatten_with_path(params)
    names = [name_of(path) for path, _ in paths]
    rows = [(re.compile(pattern), scale) for pattern, scale, _ in layer_groups(names, decay)]

    def scale(name: str) -> float:
        return next((value for pattern, value in rows if pattern.fullmatch(name)), 1.0)

    return jax.tree.unflatten(tree, [scale(name) for name in names])


def _place(part: str, by_block: bool) -> tuple[int, float] | None:
    """Returns where a part of a backbone stands among the others; None at its top."""
    if _FIRST.match(part):
        return (0, 0)
    found = _NUMBERED.match(part)
    if found is None:
        return None
    kind, number, block = found[1], int(found[2]), int(found[3] or 0)
    if kind == "merge":  # after the last block of the stage before
        return (number - 1, float("inf"))
    return (number, block if by_block else 0)
