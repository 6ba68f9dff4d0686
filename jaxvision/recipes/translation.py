"""Translation between two languages by a Transformer or a recurrent network."""

import functools
import itertools
import math
import pathlib
from collections.abc import Mapping
from typing import Any, cast

import jax
from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.data.errors import DataError, FaultLog
from jaxvision.data.stream import Stream
from jaxvision.data.text.buckets import PairPlan
from jaxvision.data.text.parallel import ParallelText
from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.data.translation import eval_stream, train_stream, translation_source
from jaxvision.metrics.translation import bleu_signature
from jaxvision.plots.translations import translation_report
from jaxvision.recipes import values, wiring
from jaxvision.recipes.values import Config
from jaxvision.tasks.translation import Translation
from jaxvision.train.experiment import Best, EvalSet, Experiment
from jaxvision.train.precision import compute_dtype
from jaxvision.train.saved import read_meta

# What a continued run may change.
FREE = (*values.FREE, "batch_tokens")


def defaults() -> Config:
    """Returns all values, locked; those of the paper's base model."""
    config = values.common()
    config.variant = "transformer_base"
    config.batch_tokens = 4096  # sentences times the longer of source and target
    config.num_workers = 1

    config.model.dropout_rate = 0.1
    config.model.attention_dropout_rate = 0.0
    config.model.activation_dropout_rate = 0.0
    config.model.pre_norm = False
    config.model.positions = "sinusoidal"  # or learned

    config.data.source = "parallel"  # or tfds:<name>
    config.data.from_language = "en"
    config.data.to_language = "de"
    # A tokenizer.json, or the folder of another run; empty: trained on the training text.
    config.data.tokenizer = ""
    config.data.vocabulary_size = 10_000  # subwords, of both languages together
    config.data.empty_lines = "error"  # or drop
    config.data.max_length = 128  # tokens
    config.data.long_sentences = "drop"  # of training; or cut, or error
    config.data.packing = False  # pairs share rows of 64 tokens or more, in batches of one shape
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
    return values.locked(config)


def info(config: Config, train: ParallelText) -> dict[str, Any]:
    """Returns what the task must know of the data.

    Args:
        config: The values.
        train: The training text.

    Returns:
        JSON: `tokenizer`, itself JSON as `SubwordTokenizer.json` writes it.
    """
    file = pathlib.Path(config.data.tokenizer)
    if not config.data.tokenizer:
        sentences = itertools.chain(train.source, train.target)
        tokenizer = SubwordTokenizer.train(sentences, config.data.vocabulary_size)
    elif file.is_dir():
        tokenizer = SubwordTokenizer(_stored_tokenizer(file))
    else:
        tokenizer = SubwordTokenizer.load(file)
    return {"tokenizer": tokenizer.json()}


_info = info  # `experiment` has an argument of that name


def _stored_tokenizer(run: pathlib.Path) -> str:
    _, meta = read_meta(run)
    if "tokenizer" not in meta.get("info", {}):
        raise ValueError(
            f"data.tokenizer must be a tokenizer.json or the folder of a run of a translator, got "
            f"{run}"
        )
    return meta["info"]["tokenizer"]


def task(config: Config, info: Mapping[str, Any]) -> Translation:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training text.

    Raises:
        ValueError: If a value is out of its range.
    """
    tokenizer = SubwordTokenizer(info["tokenizer"])
    model = wiring.network(
        models.translator,
        config,
        vocabulary_size=tokenizer.vocabulary_size,
        # A translation may be longer than its source, also than one of max_length tokens.
        max_length=2 * config.data.max_length + config.eval.extra_length,
        dtype=compute_dtype(config.dtype),
    )
    return Translation(
        model=model,
        tokenizer=tokenizer,
        label_smoothing=config.loss.label_smoothing,
        beam_size=config.eval.beam_size,
        alpha=config.eval.alpha,
        extra_length=config.eval.extra_length,
    )


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens one split for evaluation.

    Args:
        config: The values.
        info: What `info` returned for the training text.
        split: `train`, `val` or `test`.

    Raises:
        ValueError: If there is no such split.
    """
    return _eval_stream(config, SubwordTokenizer(info["tokenizer"]), _open(config, split))


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training text.

    Raises:
        ValueError: If a value is out of its range.
    """
    data = config.data
    train, val = _open(config, "train"), _open(config, "val")
    new_run = info is None
    info = _info(config, train) if info is None else info
    the_task = task(config, info)
    tokenizer = the_task.tokenizer
    train_data = train_stream(
        train,
        tokenizer,
        batch_tokens=config.batch_tokens,
        buckets=data.buckets,
        packing=data.packing,
        max_length=data.max_length,
        long_sentences=data.long_sentences,
        multiple=math.lcm(8, jax.device_count()),
        seed=config.seed,
        num_workers=config.num_workers,
        prefetch=data.prefetch,
    )
    eval_sets = {"val": EvalSet(_eval_stream(config, tokenizer, val))}
    if data.test:
        eval_sets["test"] = EvalSet(eval_data(config, info, "test"), at_end=True)
    print(
        f"{len(train.source):,} sentences to train on, {len(val.source):,} to evaluate on, "
        f"{tokenizer.vocabulary_size:,} subwords\n{cast(PairPlan, train_data.plan).describe()}\n"
        f"BLEU: {bleu_signature()}"
    )

    epoch = train_data.steps_per_epoch
    rate = wiring.learning_rate(config, epoch=epoch, features=the_task.model.features)
    return Experiment(
        task=the_task,
        train_data=train_data,
        eval_data=eval_sets,
        optimizer=wiring.optimizer(config, rate),
        learning_rate=rate,
        init_from=wiring.init_from(config, config.variant, now=new_run),
        best=Best("val/bleu"),
        report=functools.partial(translation_report, tokenizer=tokenizer),
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, epoch),
    )


def _open(config: Config, split: str) -> ParallelText:
    """Opens a split, and prints which pairs of it are dropped."""
    data = config.data
    if split not in ("train", "val", "test"):
        raise ValueError(f"split must be train, val or test, got {split}")
    if not data[split]:
        raise ValueError(f"data.{split} must name a split, and it is empty")
    faults = FaultLog()
    act = wiring.on_fault(config, "empty_lines")

    def on_fault(fault: DataError) -> None:
        act(fault)
        faults(fault)

    text = translation_source(
        data.source,
        data.path,
        data[split],
        from_language=data.from_language,
        to_language=data.to_language,
        on_fault=on_fault,
    )
    if dropped := faults.report():
        print(dropped)
    return text


def _eval_stream(config: Config, tokenizer: SubwordTokenizer, text: ParallelText) -> Stream:
    return eval_stream(
        text,
        tokenizer,
        batch_size=config.eval.batch_size,
        buckets=config.eval.buckets,
        num_workers=config.num_workers,
        prefetch=config.data.prefetch,
    )
