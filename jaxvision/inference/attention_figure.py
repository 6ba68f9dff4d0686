"""A picture of where a decoder looked: source tokens across, the translation's down.

Bahdanau et al. 2014, https://arxiv.org/abs/1409.0473, figure 3, shows it of a recurrent network.
"""

from collections.abc import Sequence

import numpy as np

from jaxvision.inference.draw import DARK, MUTED, PALETTE, WHITE
from jaxvision.inference.lettering import text_width, write, write_upright

# Pixels of a cell, the second for sentences of more tokens than `_FEW`.
_CELL, _SMALL_CELL, _FEW = 28, 18, 40
_SCALE = 0.45
_MARGIN = 16
_TITLE = "attention by row, a token of the translation, to the tokens of the source"
# Of the key, which says what the colours stand for.
_KEY_WIDTH, _KEY_HEIGHT = 160, 12


def attention_figure(
    weights: np.ndarray, source: Sequence[str], target: Sequence[str], *, title: str = _TITLE
) -> np.ndarray:
    """Draws attention weights as a heat map; the brighter a cell, the larger its weight.

    Args:
        weights: By target and source token [T, S], in [0, 1].
        source: The source's tokens, S texts.
        target: The translation's, T texts.
        title: Stands above.

    Returns:
        RGB [H, W, 3] uint8.

    Raises:
        ValueError: If there are not as many tokens as rows and columns.
    """
    weights = np.asarray(weights)
    if weights.shape != (len(target), len(source)):
        raise ValueError(
            f"weights must be [{len(target)}, {len(source)}], one row a target token and one "
            f"column a source token, got {list(weights.shape)}"
        )
    cell = _CELL if max(weights.shape) <= _FEW else _SMALL_CELL
    left = _MARGIN + 8 + max(text_width(token, _SCALE) for token in target)
    top = 40 + 12 + max(text_width(token, _SCALE) for token in source)
    height, width = (cell * length for length in weights.shape)
    right = max(left + width, _MARGIN + text_width(title, 0.5), left + _KEY_WIDTH + 60)
    canvas = np.full((top + height + _MARGIN + 40, right + _MARGIN, 3), DARK, np.uint8)
    write(canvas, title, (_MARGIN, 26), 0.5, WHITE)

    cells = np.kron(_colours(weights), np.ones((cell, cell, 1), np.uint8))
    # A line of ground between cells, by which one finds row and column.
    cells[::cell], cells[:, ::cell] = DARK, DARK
    canvas[top : top + height, left : left + width] = cells
    for i, token in enumerate(target):
        x = left - 8 - text_width(token, _SCALE)
        write(canvas, token, (x, top + i * cell + cell // 2 + 5), _SCALE, WHITE)
    for j, token in enumerate(source):
        corner = (left + j * cell + cell // 2 - 10, top - 8 - text_width(token, _SCALE))
        write_upright(canvas, token, corner, _SCALE, WHITE, up=True)

    row = top + height + _MARGIN
    shades = _colours(np.linspace(0, 1, _KEY_WIDTH)[None])
    canvas[row : row + _KEY_HEIGHT, left : left + _KEY_WIDTH] = shades
    write(canvas, "0", (left, row + _KEY_HEIGHT + 16), 0.4, MUTED)
    write(canvas, "1", (left + _KEY_WIDTH - 6, row + _KEY_HEIGHT + 16), 0.4, MUTED)
    return canvas


def _colours(weights: np.ndarray) -> np.ndarray:
    """Maps weights [T, S] to RGB [T, S, 3]: from near the ground over blue to white."""
    stops = np.array([(34, 34, 40), PALETTE[1], WHITE], float)
    position = np.clip(weights, 0.0, 1.0)
    channels = [np.interp(position, [0.0, 0.6, 1.0], stops[:, c]) for c in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
