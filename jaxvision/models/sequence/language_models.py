"""The catalogue of language models: GPT and recurrent ones.

All of them have the same methods: `__call__(tokens, train=...)` gives logits, `continued` also
takes and gives what is carried from one batch to the next, and `step` reads one token at a time.
"""

from typing import Any

from jaxvision.models.sequence import gpt as _gpt
from jaxvision.models.sequence import recurrent_language_model as _recurrent
from jaxvision.models.sequence.gpt import GPT
from jaxvision.models.sequence.recurrent_language_model import RecurrentLanguageModel
from jaxvision.models.variant import unknown

LanguageModel = GPT | RecurrentLanguageModel

VARIANTS = {**_recurrent.VARIANTS, **_gpt.VARIANTS}


def language_model(variant: str, *, vocabulary_size: int, **overrides: Any) -> LanguageModel:
    """Builds a network from tokens [B, T] to logits [B, T, V].

    Args:
        variant: A name of `VARIANTS`.
        vocabulary_size: V.
        **overrides: Fields of `GPT` or `RecurrentLanguageModel`.

    Raises:
        ValueError: If there is no such variant.
    """
    if variant not in VARIANTS:
        raise ValueError(unknown("variant", variant, VARIANTS))
    build = _gpt.gpt if variant in _gpt.VARIANTS else _recurrent.recurrent_language_model
    return build(variant, vocabulary_size=vocabulary_size, **overrides)
