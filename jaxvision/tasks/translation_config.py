"""From the numbers of a config to the task: for the config itself, and for a work directory."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jaxvision import models
from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.tasks.translation import Translation


def translation_from_config(
    config: Mapping[str, Any],
    tokenizer: SubwordTokenizer,
    *,
    dtype: jnp.dtype,
) -> Translation:
    """Builds what the fields of `configs/transformer_multi30k.py` describe.

    Args:
        config: The fields, by name.
        tokenizer: Says how large the vocabulary is.
        dtype: Of the computation.

    Raises:
        ValueError: If a value is out of its range.
        KeyError: If there is no such field.
    """
    model = models.transformer(
        config["variant"],
        vocabulary_size=tokenizer.vocabulary_size,
        positions=config["positions"],
        max_length=2 * config["data"]["max_length"] + config["extra_length"],
        pre_norm=config["pre_norm"],
        dropout_rate=config["dropout"],
        attention_dropout_rate=config["attention_dropout"],
        activation_dropout_rate=config["activation_dropout"],
        dtype=dtype,
    )
    return Translation(
        model=model,
        tokenizer=tokenizer,
        label_smoothing=config["label_smoothing"],
        beam_size=config["beam_size"],
        alpha=config["alpha"],
        extra_length=config["extra_length"],
    )
