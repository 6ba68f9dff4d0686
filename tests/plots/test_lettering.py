import numpy as np
import pytest

from jaxvision.plots.lettering import text_height, text_width, write
from jaxvision.plots.style import DARK, WHITE


def written(text, origin=(10, 30), shape=(50, 200)):
    canvas = np.full((*shape, 3), DARK, np.uint8)
    write(canvas, text, origin, 14, WHITE)
    return canvas


def test_text_is_where_it_was_measured_to_be():
    rows, columns = np.nonzero((written("Höhle gy") != DARK).any(axis=2))
    ascent, descent = text_height(14)
    assert 30 - ascent <= rows.min() and 30 < rows.max() <= 30 + descent
    assert columns.min() >= 10 and columns.max() <= 10 + text_width("Höhle gy", 14)
    assert written("Höhle").max() > 240


def test_umlauts_differ_from_their_vowels_and_from_each_other():
    pictures = [written(letter).tobytes() for letter in "aäoöuüßñé□"]
    assert len(set(pictures)) == len(pictures)


@pytest.mark.parametrize("origin", [(-20, 30), (190, 30), (10, 4), (10, 60), (-900, 30), (10, -9)])
def test_what_leaves_the_canvas_is_cut(origin):
    wide = np.full((250, 1400, 3), DARK, np.uint8)
    write(wide, "many words", (origin[0] + 1000, origin[1] + 100), 14, WHITE)
    np.testing.assert_array_equal(written("many words", origin), wide[100:150, 1000:1200])
