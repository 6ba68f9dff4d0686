"""Text classification: one class a text, by recurrent layers."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.data.stream import Stream
from jaxvision.data.text.classes import TextClasses
from jaxvision.data.text.spacing import spaced
from jaxvision.data.text.word_tokenizer import WordTokenizer
from jaxvision.data.text_classification import eval_stream, text_source, train_stream
from jaxvision.plots.classification import classification_report
from jaxvision.recipes import values, wiring
from jaxvision.recipes.values import Config
from jaxvision.tasks.text_classification import TextClassification
from jaxvision.train.experiment import Best, EvalSet, Experiment
from jaxvision.train.precision import compute_dtype

# What a continued run may change.
FREE = values.FREE


def defaults() -> Config:
    """Returns all values, locked."""
    config = values.common()
    config.update(variant="bilstm_text", epochs=10, num_workers=0)
    config.batch_size = 32  # texts
    config.max_length = 256  # tokens of a text that are read, from its beginning

    config.data.source = "drawn"  # folder, table or tfds:<name>
    config.data.texts = 4000  # that are drawn
    config.data.unit = "word"  # or character
    config.data.lower = True  # whether capital letters become small ones
    config.data.max_tokens = 20_000  # words or characters, the most frequent ones
    config.data.buckets = 4  # lengths that batches are padded to, at most; each is compiled

    config.loss = ConfigDict()
    config.loss.label_smoothing = 0.0

    config.optimizer.update(name="adam", learning_rate=2e-3, clip_norm=1.0)
    return values.locked(config)


def info(config: Config, train: TextClasses) -> dict[str, Any]:
    """Returns what the task must know of the data.

    Args:
        config: The values.
        train: The training texts.

    Returns:
        JSON: `class_names`, and `tokenizer`, itself JSON as `WordTokenizer.json` writes it.

    Raises:
        DataError: If the texts hold no token.
        ValueError: If a value is out of its range.
    """
    data = config.data
    lines = (spaced(text, data.unit, lower=data.lower) for text in train.texts)
    tokenizer = WordTokenizer.train(lines, data.max_tokens, unit=data.unit, name=train.origin)
    return {"class_names": list(train.classes), "tokenizer": tokenizer.json()}


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> TextClassification:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training texts.

    Raises:
        ValueError: If a value is out of its range.
    """
    tokenizer = WordTokenizer.from_json(info["tokenizer"])
    names = tuple(info["class_names"])
    model = wiring.network(
        models.text_classifier,
        config,
        vocabulary_size=tokenizer.vocabulary_size,
        num_classes=len(names),
        dtype=compute_dtype(config.dtype),
    )
    return TextClassification(
        model=model,
        tokenizer=tokenizer,
        class_names=names,
        lower=config.data.lower,
        max_length=config.max_length,
        label_smoothing=config.loss.label_smoothing,
    )


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens one split for evaluation, its classes in the order of `info`.

    Args:
        config: The values.
        info: What `info` returned for the training texts.
        split: `train`, `val` or `test`.

    Raises:
        ValueError: If there is no such split.
    """
    source = _open(config, split, tuple(info["class_names"]))
    return _eval_stream(config, source, task(config, info))


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training texts.

    Raises:
        ValueError: If a value is out of its range.
    """
    new_run = info is None
    train = _open(config, "train", None if info is None else tuple(info["class_names"]))
    info = _info(config, train) if info is None else info
    the_task = task(config, info)
    val = _open(config, "val", the_task.class_names)
    train_data = train_stream(
        train,
        the_task.encode,
        batch_size=config.batch_size,
        buckets=config.data.buckets,
        seed=config.seed,
        **_reading(config),
    )
    eval_sets = {"val": EvalSet(_eval_stream(config, val, the_task))}
    if config.data.test:
        eval_sets["test"] = EvalSet(eval_data(config, info, "test"), at_end=True)
    vocabulary = the_task.tokenizer.vocabulary_size
    print(f"{train.describe()}\n{val.describe()}\n{vocabulary:,} tokens in the vocabulary")

    epoch = train_data.steps_per_epoch
    rate = wiring.learning_rate(config, epoch=epoch, batch_size=config.batch_size)
    return Experiment(
        task=the_task,
        train_data=train_data,
        eval_data=eval_sets,
        optimizer=wiring.optimizer(config, rate),
        learning_rate=rate,
        init_from=wiring.init_from(config, config.variant, now=new_run),
        best=Best("val/accuracy"),
        report=classification_report,
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, epoch),
    )


def _open(config: Config, split: str, classes: tuple[str, ...] | None) -> TextClasses:
    data = config.data
    if split not in ("train", "val", "test"):
        raise ValueError(f"split must be train, val or test, got {split}")
    return text_source(data.source, data.path, data[split], texts=data.texts, classes=classes)


def _reading(config: Config) -> dict[str, Any]:
    return dict(num_workers=config.num_workers, prefetch=config.data.prefetch)


def _eval_stream(config: Config, source: TextClasses, task: TextClassification) -> Stream:
    return eval_stream(
        source,
        task.encode,
        batch_size=config.eval.batch_size or config.batch_size,
        buckets=config.data.buckets,
        **_reading(config),
    )
