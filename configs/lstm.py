"""LSTM: Recurrent Neural Network Regularization, Zaremba et al. 2014.

https://arxiv.org/abs/1409.2329.

    python train.py --config configs/lstm.py
    python train.py --config configs/lstm.py:small,text --config.data.path=DIR

trains a language model on a grammar of drawn sentences, whose entropy is that of a perplexity of
3.19, or on the text of `train.txt` and `val.txt` in DIR, compressed or not.
The argument names a size (small, medium, large) or another network of the small size (gru, rnn),
and a source. `small` is the paper's, which is not regularised; `dropout` is a small one that is,
for a small text. Measured on War and Peace (430,780 words to train on): `small` has a validation
perplexity of 196.2, 150.0, 138.1, 133.3, 126.4, 127.5 after each epoch and overfits from then on;
`gru` has 141.8 and `rnn` 141.4 after six epochs, `dropout` 118.2 after eight and 104.8 after its
sixteen epochs, 39 minutes of processor time.
Published perplexity on Penn Treebank: 114.5 (small), 82.2 (medium), 78.4 (large).
"""

from typing import Any

from jaxvision.recipes import language_modelling
from jaxvision.recipes.words import words

recipe = language_modelling
VARIANTS = {"small": "lstm_lm", "dropout": "lstm_lm", "gru": "gru_lm", "rnn": "rnn_lm"}


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source = words(
        arg,
        variant=("small", "dropout", "medium", "large", "gru", "rnn"),
        source=("drawn", "text"),
    )
    config = language_modelling.defaults()
    config.variant = VARIANTS.get(variant, f"lstm_lm_{variant}")
    config.data.source = source
    if variant == "small":
        config.model.recurrent_bias = True  # as PyTorch's, beside which it was measured
    elif variant == "dropout":
        config.model.dropout_rate = 0.4
        config.update(epochs=16)
        config.schedule.update(hold_epochs=9.0, factor=0.6)
    elif variant == "rnn":
        config.optimizer.learning_rate = 0.2  # it diverges at 1
    elif variant == "medium":
        config.update(epochs=39, window=35)
        config.schedule.update(factor=1 / 1.2, hold_epochs=6.0)
    elif variant == "large":
        config.update(epochs=55, window=35)
        config.optimizer.clip_norm = 10.0
        config.schedule.update(factor=1 / 1.15, hold_epochs=14.0)
    if source == "drawn":
        config.update(epochs=6)
        config.schedule.hold_epochs = 3.0
    return config
