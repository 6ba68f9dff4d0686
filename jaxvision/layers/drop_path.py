"""Drop path: whole residual branches dropped at random, example by example.

Deep Networks with Stochastic Depth, Huang et al. 2016, https://arxiv.org/abs/1603.09382. Departs
from the paper: branches that are kept are divided by their probability in training instead of
multiplied by it in evaluation, which has the same expectation and leaves evaluation unchanged.
"""

import jax
from flax import linen as nn


class DropPath(nn.Module):
    """Zeroes a residual branch for a random share of the examples of a batch.

    Attributes:
        rate: Probability of dropping the branch, in [0, 1); draws from the rng `dropout`.
    """

    rate: float

    @nn.compact
    def __call__(self, y: jax.Array, *, train: bool) -> jax.Array:
        """Maps a branch [B, ...] to the same shape; the identity is added outside."""
        drop = nn.Dropout(self.rate, broadcast_dims=tuple(range(1, y.ndim)), name="drop")
        return drop(y, deterministic=not train)


def linear_rates(last: float, blocks: int, *, from_zero: bool = False) -> tuple[float, ...]:
    """Rates that grow from the first block to the last (equation 4 of the paper).

    Args:
        last: Rate of the last block.
        blocks: Number of residual blocks L.
        from_zero: Whether the first block has rate 0, as in timm's and torchvision's transformers,
            instead of last / L as in the paper.

    Returns:
        Rates of blocks 1 to L: last * i / L, or last * (i - 1) / (L - 1) from zero.
    """
    if from_zero:
        return tuple(last * i / max(blocks - 1, 1) for i in range(blocks))
    return tuple(last * i / blocks for i in range(1, blocks + 1))
