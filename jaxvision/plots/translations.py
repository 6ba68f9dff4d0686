"""What an evaluation of a translator shows: some translations, and where the decoder looked."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure

from jaxvision.data.text.tokenizer import END, SubwordTokenizer
from jaxvision.plots.attention import attention_figure
from jaxvision.plots.report import Evaluated, Report
from jaxvision.plots.sheet import contact_sheet
from jaxvision.plots.style import to_rgb

# Characters of a text, at most.
_LONGEST = 200


class Translated(Protocol):
    """Predictions for B sentences, as `jaxvision.tasks.translation` makes them."""

    @property
    def tokens(self) -> Any:
        """The best translation of each, padded after its end [B, L]."""
        ...

    @property
    def attention(self) -> Any:
        """Weights of the first few translations [b, L, S]."""
        ...


def translation_report(evaluation: Evaluated, tokenizer: SubwordTokenizer) -> Report:
    """Shows three translations as text, and the attention of the first few as a picture.

    Args:
        evaluation: Of a translator; `truth` of its batch holds the references.
        tokenizer: Turns tokens into text.
    """
    predictions, batch = evaluation.predictions, evaluation.batch
    return Report(
        lines=translation_lines(predictions, batch, tokenizer),
        pictures={"attention": attention_sheet(predictions, batch, tokenizer)},
    )


def translation_lines(
    predictions: Translated,
    batch: Mapping[str, Any],
    tokenizer: SubwordTokenizer,
    *,
    limit: int = 3,
) -> list[str]:
    """Lists sentences with their references and their translations.

    Args:
        predictions: For the batch.
        batch: One of evaluation; `truth` holds the references as text.
        tokenizer: Turns tokens into text.
        limit: Sentences shown at most: the first whose `mask` is True.

    Returns:
        Three lines a sentence, the first 200 characters of each text.
    """
    lines = []
    for i in _real(batch)[:limit]:
        lines += [
            f"  source:      {_shortened(tokenizer.decode(batch['source'][i]))}",
            f"  reference:   {_shortened(str(batch['truth'][i]))}",
            f"  translation: {_shortened(tokenizer.decode(np.asarray(predictions.tokens[i])))}",
        ]
    return lines


def attention_sheet(
    predictions: Translated, batch: Mapping[str, Any], tokenizer: SubwordTokenizer
) -> np.ndarray:
    """Draws `attention_figures` beside each other, RGB [H, W, 3] uint8."""
    pictures = [to_rgb(figure) for figure in attention_figures(predictions, batch, tokenizer)]
    return contact_sheet(pictures, len(pictures))


def attention_figures(
    predictions: Translated, batch: Mapping[str, Any], tokenizer: SubwordTokenizer
) -> list[Figure]:
    """Draws where the decoder looked in those sentences whose attention was predicted.

    Args:
        predictions: For the batch.
        batch: One of evaluation.
        tokenizer: Names the tokens.
    """
    weights = np.asarray(predictions.attention)
    figures = []
    for i in [i for i in _real(batch) if i < len(weights)]:
        source, target = (
            tokenizer.pieces(tokens[: list(tokens).index(END) + 1])
            for tokens in (batch["source"][i], np.asarray(predictions.tokens[i]))
        )
        shown = weights[i, : len(target), : len(source)]
        figures.append(attention_figure(shown, source, target))
    return figures


def _shortened(text: str) -> str:
    # A network that has learned little repeats itself without end.
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _real(batch: Mapping[str, Any]) -> list[int]:
    """Returns the rows that are not padding."""
    return np.flatnonzero(batch.get("mask", np.ones(len(batch["index"]), bool))).tolist()
