import numpy as np
import pytest

from jaxvision.inference.attention_figure import attention_figure
from jaxvision.inference.draw import DARK, WHITE
from jaxvision.inference.lettering import write_upright

SOURCE, TARGET = ["a", "man", "sleeps", "</s>"], ["ein", "Mann", "schläft"]


def heat_map(source, target):
    """Returns where the cells are, upper left and lower right: what other weights change."""
    shape = len(target), len(source)
    one, two = (attention_figure(np.full(shape, w), source, target) for w in (0.0, 1.0))
    places = np.argwhere((one != two).any(axis=2))
    # The upper and left lines of cells are dark.
    return places.min(axis=0) - 1, places.max(axis=0) + 1


def test_cells_are_brighter_the_larger_their_weight():
    image = attention_figure(np.linspace(0, 1, 12).reshape(3, 4), SOURCE, TARGET)
    (top, left), (bottom, right) = heat_map(SOURCE, TARGET)
    side = (right - left) // 4
    assert (bottom - top, right - left) == (3 * side, 4 * side)
    cells = image[top:bottom, left:right].reshape(3, side, 4, side, 3)
    shades = cells[:, side // 2, :, side // 2].astype(int)
    assert (np.diff(shades.sum(axis=2).ravel()) > 0).all()
    assert tuple(shades[2, 3]) == WHITE
    # Each of one shade, with dark lines between.
    assert (cells[:, 1:, :, 1:] == shades[:, None, :, None]).all()
    assert (cells[:, 0] == DARK).all() and (cells[:, :, :, 0] == DARK).all()


def test_each_token_stands_beside_its_row_or_above_its_column():
    def changed(one, two):
        images = [attention_figure(np.zeros((3, 4)), *tokens) for tokens in (one, two)]
        places = np.argwhere((images[0] != images[1]).any(axis=2))
        return places.min(axis=0), places.max(axis=0)

    # Of the same letters, so that nothing else moves.
    before, after = ["an", "ab", "be"], ["an", "ab", "eb"]
    (top, left), (_, right) = heat_map(SOURCE, before)
    side = (right - left) // 4
    first, last = changed((SOURCE, before), (SOURCE, after))
    assert top + 2 * side < first[0] and last[0] < top + 3 * side and last[1] < left

    (top, left), _ = heat_map([*before, "</s>"], TARGET)
    first, last = changed(([*before, "</s>"], TARGET), ([*after, "</s>"], TARGET))
    assert left + 2 * side < first[1] and last[1] < left + 3 * side and last[0] < top


def test_long_sentences_have_smaller_cells():
    sides = []
    for count in (40, 41):
        (_, left), (_, right) = heat_map(["a"] * count, ["a"])
        sides.append((right - left) / count)
    assert sides[0] > sides[1] >= 14


@pytest.mark.parametrize("shape", [(4, 3), (3, 5), (12,)])
def test_weights_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"weights must be \[3, 4\], one row a target"):
        attention_figure(np.zeros(shape), SOURCE, TARGET)


def test_upright_text_is_turned_text():
    down, up = (np.full((80, 30, 3), DARK, np.uint8) for _ in range(2))
    write_upright(down, "man", (5, 10), 0.45, WHITE)
    write_upright(up, "man", (5, 10), 0.45, WHITE, up=True)
    height = int((down != DARK).any(axis=(1, 2)).nonzero()[0].max()) + 3
    assert (down != up).any()
    assert 10 < height < 80
    boxes = [np.argwhere((image != DARK).any(axis=2)) for image in (down, up)]
    assert len(boxes[0]) == len(boxes[1]) > 40
    # What leaves the picture is cut, not an error.
    write_upright(down, "a long text that has no room", (20, 40), 0.45, WHITE)
    write_upright(down, "a", (-5, -5), 0.45, WHITE)
