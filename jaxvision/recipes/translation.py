"""Translation between two languages by a Transformer."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision.recipes import values
from jaxvision.tasks.translation import Translation
from jaxvision.train.experiment import Experiment

# What a continued run may change.
FREE = (*values.FREE, "batch_tokens")


def defaults() -> ConfigDict:
    """Returns all values, locked; those of the paper's base model."""
    config = values.common()
    config.variant = "transformer_base"
    config.batch_tokens = 4096  # sentences times the longer of source and target
    config.num_workers = 1

    config.model.dropout = 0.1
    config.model.attention_dropout = 0.0
    config.model.activation_dropout = 0.0
    config.model.pre_norm = False
    config.model.positions = "sinusoidal"  # or learned

    config.data.source = "parallel"  # or tfds:<name>
    config.data.from_language = "en"
    config.data.to_language = "de"
    config.data.tokenizer = ""  # tokenizer.json of another run; empty: trained on the training text
    config.data.vocabulary_size = 10_000  # subwords, of both languages together
    config.data.empty_lines = "error"  # or drop
    config.data.max_length = 128  # tokens
    config.data.long_sentences = "drop"  # of training; or cut, or error
    config.data.packing = False  # pairs share rows of max_length tokens, in one shape of batch
    config.data.buckets = 10  # shapes of training batches, each a program to compile

    config.loss = ConfigDict()
    config.loss.label_smoothing = 0.1

    # With the schedule noam the learning rate is the factor of the paper's equation 3.
    config.optimizer.update(name="adam", learning_rate=1.0, b2=0.98, epsilon=1e-9)
    config.schedule.update(name="noam", warmup_steps=4000)

    config.eval.batch_size = 64  # sentences
    config.eval.buckets = 2
    config.eval.epochs = 5.0
    config.eval.beam_size = 4
    config.eval.alpha = 0.6  # of the length penalty
    config.eval.extra_length = 50  # tokens that a translation may have more than its source
    return config.lock()


def info(config: ConfigDict, train: Any) -> dict[str, Any]:
    """Returns what the task must know of the data.

    Args:
        config: The values.
        train: The training text.

    Returns:
        JSON: `tokenizer`, as the text of a `tokenizer.json`.
    """
    raise NotImplementedError


def task(config: ConfigDict, info: Mapping[str, Any]) -> Translation:
    """Builds the task; opens no file."""
    raise NotImplementedError


def eval_data(config: ConfigDict, info: Mapping[str, Any], split: str) -> Any:
    """Opens one split for evaluation.

    Args:
        config: The values.
        info: Of the run.
        split: `train`, `val` or `test`.
    """
    raise NotImplementedError


def experiment(config: ConfigDict, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: Of the run that is continued; by default it is computed from the training data.
    """
    raise NotImplementedError
