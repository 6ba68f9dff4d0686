"""Text classification by an LSTM in both directions, pooled over time: Conneau et al. 2017.

https://arxiv.org/abs/1705.02364, section 3.1.2, of single texts in place of pairs.

    python train.py --config configs/text_classifier.py
    python train.py --config configs/text_classifier.py:bilstm,folder --config.data.path=DIR

trains on drawn opinions, whose class depends on the order of their words, or on the texts of DIR:
`DIR/train/<class>/*.txt` with a text a file, or `DIR/train/<class>.txt` with a text a line, and
the same in `DIR/val`; `table` is `DIR/train.csv` with the columns text and label, and
`--config.data.source=tfds:imdb_reviews` what TFDS prepared. The argument names a network (bilstm,
lstm, gru, rnn; the last three decide by what they hold after the last word) and a source.
"""

from typing import Any

from jaxvision.recipes import text_classification
from jaxvision.recipes.words import words

recipe = text_classification


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source = words(
        arg,
        variant=("bilstm", "lstm", "gru", "rnn"),
        source=("drawn", "folder", "table"),
    )
    config = text_classification.defaults()
    config.variant = f"{variant}_text"
    config.data.source = source
    if source == "drawn":
        config.update(epochs=4)
    return config
