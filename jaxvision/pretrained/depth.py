"""A check that tells apart variants of one family whose blocks are all of one shape."""

import re
from collections.abc import Iterable


def check_depth(name: str, depth: int, state: Iterable[str], pattern: str) -> None:
    """Refuses weights of another number of blocks than the model has.

    Args:
        name: The model's variant.
        depth: Its number of blocks.
        state: Names of the weights' tensors.
        pattern: Matches names of a block's tensors; its first group is the block's number.

    Raises:
        ValueError: If the weights have blocks, but not as many.
    """
    blocks = {match[1] for key in state if (match := re.search(pattern, key))}
    if blocks and len(blocks) != depth:
        raise ValueError(
            f"{name} has {depth} blocks, the weights have {len(blocks)}: "
            "they are of another variant"
        )
