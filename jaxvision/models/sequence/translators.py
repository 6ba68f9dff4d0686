"""The catalogue of networks that translate: Transformers and recurrent ones.

All of them have the same methods: `__call__(source, target, train=...)` gives logits, `encode` what
the decoder sees of the source, and `step` decodes one token at a time.
"""

from typing import Any

from jaxvision.models.sequence import seq2seq as _seq2seq
from jaxvision.models.sequence import transformer as _transformer
from jaxvision.models.sequence.seq2seq import Seq2Seq
from jaxvision.models.sequence.transformer import Transformer

TranslationNetwork = Transformer | Seq2Seq

VARIANTS = {**_transformer.VARIANTS, **_seq2seq.VARIANTS}


def translator(
    variant: str, *, vocabulary_size: int, max_length: int, **overrides: Any
) -> TranslationNetwork:
    """Builds a network from source and target tokens to logits.

    Args:
        variant: A name of `VARIANTS`, that of a Transformer with or without `transformer_`.
        vocabulary_size: V.
        max_length: Number of a Transformer's learned positions; others have no limit.
        **overrides: Fields of `Transformer` or `Seq2Seq`.

    Raises:
        ValueError: If there is no such variant.
    """
    if variant in _seq2seq.VARIANTS:
        return _seq2seq.seq2seq(variant, vocabulary_size=vocabulary_size, **overrides)
    return _transformer.transformer(
        variant, vocabulary_size=vocabulary_size, max_length=max_length, **overrides
    )
