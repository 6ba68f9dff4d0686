"""What a vision transformer looks at: attention followed through its blocks, and its positions.

_, state = model.apply(variables, images, train=False, mutable=["intermediates"])
rollout = attention_rollout(attention_maps(state["intermediates"]))  # [B, T, T]
heat = class_token_map(rollout, (14, 14))  # [B, 14, 14]
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from flax import traverse_util


def attention_maps(intermediates: Mapping[str, Any]) -> list[np.ndarray]:
    """Collects the attention weights that a ViT's blocks have sown.

    Args:
        intermediates: The collection of that name, from `apply(..., mutable=["intermediates"])`.

    Returns:
        Weights [B, heads, T, T] of each block, first to last.

    Raises:
        ValueError: If there are none.
    """
    flat = cast(Mapping[str, Any], traverse_util.flatten_dict(dict(intermediates), sep="/"))
    found = {
        int(match[1]): np.asarray(value[0])
        for path, value in flat.items()
        if (match := re.search(r"(?:^|/)block(\d+)/attention/weights$", path))
    }
    if not found:
        raise ValueError(
            "expected a ViT's attention weights, block<n>/attention/weights, got "
            f"{', '.join(flat) or 'nothing'}"
        )
    return [found[i] for i in sorted(found)]


def attention_rollout(maps: Sequence[np.ndarray], *, residual: float = 0.5) -> np.ndarray:
    """Follows attention from the last block's tokens to the input's.

    Quantifying Attention Flow in Transformers, Abnar and Zuidema 2020,
    https://arxiv.org/abs/2005.00928, equation 1 and section 3: weights are averaged over heads and
    mixed with the identity of the residual connection, and blocks are multiplied.

    Args:
        maps: Weights [B, heads, T, T] of each block, first to last; rows sum to 1.
        residual: Share of the residual connection in a block, 0.5 in the paper.

    Returns:
        [B, T, T]: how much each token of the last block, a row, draws from each of the input, a
        column; rows sum to 1.

    Raises:
        ValueError: If there is no map, or the share is not in [0, 1].
    """
    if not len(maps):
        raise ValueError("expected the maps of at least one block, got none")
    if not 0 <= residual <= 1:
        raise ValueError(f"residual must be in [0, 1], got {residual}")
    rollout = np.eye(maps[0].shape[-1])[None]
    for weights in maps:
        mean = np.asarray(weights, np.float64).mean(1)
        mixed = (1 - residual) * mean + residual * np.eye(mean.shape[-1])[None]
        rollout = mixed @ rollout
    return rollout


def class_token_map(rollout: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Picks what the class token draws from the patches.

    Args:
        rollout: [B, T, T], or one block's weights averaged over heads; token 0 is the class token.
        grid: Rows and columns of patches.

    Returns:
        [B, rows, columns].

    Raises:
        ValueError: If the tokens are not the class token and those of the grid.
    """
    rows, columns = grid
    if rollout.shape[-1] != 1 + rows * columns:
        raise ValueError(
            f"expected 1 + {rows} x {columns} tokens, got {rollout.shape[-1]}; "
            "a model that averages its patches has no class token"
        )
    return rollout[:, 0, 1:].reshape(-1, rows, columns)


def position_similarity(embedding: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Compares the embeddings of positions with one another.

    Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929, figure 7, centre.

    Args:
        embedding: [1, P + rows * columns, D]; the P before the grid are dropped.
        grid: Rows and columns of patches.

    Returns:
        Cosine similarities [rows, columns, rows, columns]: one map for every position.

    Raises:
        ValueError: If the embedding has fewer positions than the grid.
    """
    rows, columns = grid
    before = embedding.shape[1] - rows * columns
    if before < 0:
        raise ValueError(
            f"expected at least {rows * columns} positions of a grid of {rows} x {columns}, "
            f"got {embedding.shape[1]}"
        )
    vectors = np.asarray(embedding, np.float64)[0, before:]
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors @ vectors.T).reshape(rows, columns, rows, columns)
