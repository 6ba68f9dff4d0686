import numpy as np
import pytest
from toy_translation import ENGLISH, GERMAN

from jaxvision.data.text.stream import translation_eval_stream
from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.inference.attention_figure import attention_figure
from jaxvision.inference.translation_examples import attention_sheet, translation_lines
from jaxvision.tasks.translation import Translated


@pytest.fixture(scope="module")
def evaluated():
    """Returns a tokenizer, a batch of two sentences and a row of nothing, and predictions."""
    tokenizer = SubwordTokenizer.train(ENGLISH + GERMAN, 320)
    sides = tokenizer.encode(ENGLISH[:2]), tokenizer.encode(GERMAN[:2])
    (batch,) = translation_eval_stream(*sides, batch_size=3, buckets=1, num_workers=0)
    found = tokenizer.encode(["ein Tor", "zwei Hunde", ""])
    tokens = np.zeros((3, 12), np.int32)
    for row, one in zip(tokens, found, strict=True):
        row[: len(one)] = one
    weights = np.random.default_rng(0).random((3, 12, batch["source"].shape[1]))
    nothing = np.zeros(3)
    return tokenizer, batch, Translated(tokens, nothing, nothing, nothing, weights)


def test_lines_tell_source_reference_and_translation(evaluated):
    tokenizer, batch, predictions = evaluated
    options = dict(tokenizer=tokenizer, references=GERMAN)
    expected = []
    for english, german, found in zip(ENGLISH, GERMAN, ("ein Tor", "zwei Hunde"), strict=False):
        expected += [english, german, found]
    found = translation_lines(predictions, batch, **options)
    assert [line.split(": ")[1].strip() for line in found] == expected
    assert [line.split(":")[0].strip() for line in found[:3]] == [
        "source",
        "reference",
        "translation",
    ]
    assert len(translation_lines(predictions, batch, limit=1, **options)) == 3


def test_sheet_shows_what_is_no_padding(evaluated):
    tokenizer, batch, predictions = evaluated
    sheet = attention_sheet(predictions, batch, tokenizer=tokenizer)
    figures = []
    for i, translation in enumerate(("ein Tor", "zwei Hunde")):
        source, target = tokenizer.encode([ENGLISH[i], translation])
        weights = predictions.attention[i, : len(target), : len(source)]
        pieces = tokenizer.pieces(source), tokenizer.pieces(target)
        figures.append(attention_figure(weights, *pieces))
    left = 8
    width = max(figure.shape[1] for figure in figures) + 8
    for figure in figures:
        height = figure.shape[0]
        np.testing.assert_array_equal(sheet[8 : 8 + height, left : left + figure.shape[1]], figure)
        left += width
    assert sheet.shape[1] == left
