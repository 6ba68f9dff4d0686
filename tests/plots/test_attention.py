import numpy as np
import pytest
from figures import texts, written_outside

from jaxvision.plots.attention import attention_figure

SOURCE, TARGET = ["a", "man", "sleeps", "</s>"], ["ein", "Mann", "schläft"]


def test_cells_are_the_weights_by_target_and_source():
    weights = np.linspace(0, 1, 12).reshape(3, 4)
    axes = attention_figure(weights, SOURCE, TARGET).axes[0]
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), weights)
    assert [t.get_text() for t in axes.get_xticklabels()] == SOURCE
    assert [t.get_text() for t in axes.get_yticklabels()] == TARGET
    assert axes.yaxis_inverted()
    # The bluer, the larger the weight.
    shades = image.to_rgba(image.get_array())[..., 3].ravel()
    assert (np.diff(shades) > 0).all()


@pytest.mark.parametrize(
    ("source", "target"),
    [(SOURCE, TARGET), (["</s>"], ["</s>"]), (["Wort"] * 50, ["word"] * 41), (["x" * 40], ["y"])],
)
def test_no_text_is_cut(source, target):
    figure = attention_figure(np.zeros((len(target), len(source))), source, target)
    assert written_outside(figure) == []
    assert "Attention to the source" in texts(figure)


def test_each_token_stands_beside_its_row_or_above_its_column():
    figure = attention_figure(np.zeros((3, 4)), SOURCE, TARGET)
    found, axes = texts(figure), figure.axes[0]
    for j, token in enumerate(SOURCE):
        x, top = axes.transData.transform((j, -0.5))
        assert found[token].x0 < x < found[token].x1
        assert found[token].y0 > top
    for i, token in enumerate(TARGET):
        left, y = axes.transData.transform((-0.5, i))
        assert found[token].y0 < y < found[token].y1
        assert found[token].x1 < left


def test_long_sentences_have_smaller_cells():
    sides = []
    for count in (40, 41):
        figure = attention_figure(np.zeros((1, count)), ["a"] * count, ["a"])
        texts(figure)
        axes = figure.axes[0]
        sides.append(np.diff(axes.transData.transform([(0, 0), (1, 0)])[:, 0])[0])
    assert sides[0] > sides[1] >= 14


@pytest.mark.parametrize("shape", [(4, 3), (3, 5), (12,)])
def test_weights_of_another_shape_are_an_error(shape):
    with pytest.raises(ValueError, match=r"weights must be \[3, 4\], one row a target"):
        attention_figure(np.zeros(shape), SOURCE, TARGET)
