from types import SimpleNamespace

import numpy as np
import pytest
from toy_translation import ENGLISH, GERMAN

from jaxvision.data.text.padding import pad
from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.plots.attention import attention_figure
from jaxvision.plots.style import to_rgb
from jaxvision.plots.translations import attention_sheet, translation_lines, translation_report

FOUND = ("ein Tor", "zwei Hunde")


@pytest.fixture(scope="module")
def evaluated():
    """Returns a tokenizer, a batch of two sentences and a row of padding, and predictions."""
    tokenizer = SubwordTokenizer.train(ENGLISH + GERMAN, 320)
    batch = {
        "source": pad(tokenizer.encode([*ENGLISH[:2], ""]), (3, 24)),
        "index": np.arange(3),
        "mask": np.array([True, True, False]),
        "truth": [*GERMAN[:2], ""],
    }
    tokens = pad(tokenizer.encode([*FOUND, ""]), (3, 12))
    weights = np.random.default_rng(0).random((3, 12, 24))
    return tokenizer, batch, SimpleNamespace(tokens=tokens, attention=weights)


def test_lines_show_source_reference_and_translation(evaluated):
    tokenizer, batch, predictions = evaluated
    expected = []
    for english, german, found in zip(ENGLISH, GERMAN, FOUND, strict=False):
        expected += [english, german, found]
    found = translation_lines(predictions, batch, tokenizer)
    assert [line.split(": ")[1].strip() for line in found] == expected
    assert [line.split(":")[0].strip() for line in found[:3]] == [
        "source",
        "reference",
        "translation",
    ]
    assert len(translation_lines(predictions, batch, tokenizer, limit=1)) == 3


def test_sheet_shows_what_is_not_padding(evaluated):
    tokenizer, batch, predictions = evaluated
    sheet = attention_sheet(predictions, batch, tokenizer)
    left = 8
    figures = []
    for i, translation in enumerate(FOUND):
        source, target = tokenizer.encode([ENGLISH[i], translation])
        weights = predictions.attention[i, : len(target), : len(source)]
        pieces = tokenizer.pieces(source), tokenizer.pieces(target)
        figures.append(to_rgb(attention_figure(weights, *pieces)))
    width = max(figure.shape[1] for figure in figures) + 8
    for figure in figures:
        height = figure.shape[0]
        np.testing.assert_array_equal(sheet[8 : 8 + height, left : left + figure.shape[1]], figure)
        left += width
    assert sheet.shape[1] == left


def test_report_has_both(evaluated):
    tokenizer, batch, predictions = evaluated
    evaluation = SimpleNamespace(metric=None, predictions=predictions, batch=batch)
    lines, pictures = translation_report(evaluation, tokenizer)
    assert list(lines) == translation_lines(predictions, batch, tokenizer)
    np.testing.assert_array_equal(
        pictures["attention"], attention_sheet(predictions, batch, tokenizer)
    )
