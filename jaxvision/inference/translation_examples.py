"""What an evaluation shows of a translator: some translations, and where it looked."""

from collections.abc import Sequence

import numpy as np

from jaxvision.data.batch import TranslationBatch
from jaxvision.data.text.tokenizer import END, SubwordTokenizer
from jaxvision.inference.attention_figure import attention_figure
from jaxvision.inference.draw import contact_sheet
from jaxvision.tasks.translation import Translated

# Characters of a text, at most.
_LONGEST = 200


def translation_lines(
    predictions: Translated,
    batch: TranslationBatch,
    *,
    tokenizer: SubwordTokenizer,
    references: Sequence[str],
    limit: int = 3,
) -> list[str]:
    """Lays out sentences with what they should have become and what they became.

    Args:
        predictions: Of the batch.
        batch: One of evaluation.
        tokenizer: Turns tokens to text.
        references: Translations of the evaluation data by index.
        limit: At most so many sentences, the first that `mask` does not leave out.

    Returns:
        Three lines a sentence; of a longer text its first 200 characters.
    """
    lines = []
    for i in _real(batch)[:limit]:
        lines += [
            f"  source:      {_shortened(tokenizer.decode(batch['source'][i]))}",
            f"  reference:   {_shortened(references[int(batch['index'][i])])}",
            f"  translation: {_shortened(tokenizer.decode(np.asarray(predictions.tokens[i])))}",
        ]
    return lines


def attention_sheet(
    predictions: Translated, batch: TranslationBatch, *, tokenizer: SubwordTokenizer
) -> np.ndarray:
    """Draws, for the sentences of which `predictions` tell it, where the decoder looked.

    Args:
        predictions: Of the batch.
        batch: One of evaluation.
        tokenizer: Names tokens.

    Returns:
        RGB [H, W, 3] uint8.
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
    return contact_sheet(figures, len(figures))


def _shortened(text: str) -> str:
    # A network that has learned little repeats itself without end.
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _real(batch: TranslationBatch) -> list[int]:
    """Returns the rows that do not only fill up the batch."""
    return np.flatnonzero(batch.get("mask", np.ones(len(batch["index"]), bool))).tolist()
