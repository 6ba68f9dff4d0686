"""Language modelling: a text, token by token."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.data.language import Text, Tokens, eval_stream, read_text, tokens_of, train_stream
from jaxvision.data.sources.drawn import check_no_path
from jaxvision.data.sources.drawn_text import drawn_text
from jaxvision.data.stream import Stream
from jaxvision.data.text.word_tokenizer import WordTokenizer
from jaxvision.ops import ranges
from jaxvision.recipes import values, wiring
from jaxvision.recipes.values import Config
from jaxvision.tasks.language_modelling import CARRY, LanguageModelling
from jaxvision.train.experiment import Best, EvalSet, Experiment
from jaxvision.train.precision import compute_dtype

# What a continued run may change.
FREE = values.FREE
SOURCES = ("drawn", "text")
# Sentences of a drawn split are a share of those of training; seeds differ.
_DRAWN = {"train": (0, 1), "val": (1, 8), "test": (2, 8)}


def defaults() -> Config:
    """Returns all values, locked; those of Zaremba et al. 2014 for the small LSTM."""
    config = values.common()
    config.update(variant="lstm_lm", epochs=13, num_workers=0)
    config.batch_size = 20  # lanes of the text, read side by side
    config.window = 20  # tokens of a row of a batch

    config.data.source = "drawn"  # or text
    config.data.sentences = 6000  # that are drawn
    config.data.unit = "word"  # or character
    config.data.max_tokens = 10_000  # words or characters, the most frequent ones
    config.data.shifted = False  # whether rows start elsewhere in each epoch

    config.loss = ConfigDict()
    config.loss.sum_over_steps = True  # of a row, as clip_norm is of that; False: their mean

    config.optimizer.update(name="sgd", learning_rate=1.0, clip_norm=5.0)
    config.schedule.update(name="exponential", factor=0.5, hold_epochs=4.0)

    config.eval.batch_size = 20  # lanes
    config.eval.window = 20  # tokens that are predicted at a time
    config.eval.context = 0  # tokens before them that networks without a carry see again
    return values.locked(config)


def info(config: Config, train: Text) -> dict[str, Any]:
    """Returns what the task must know of the data.

    Args:
        config: The values.
        train: The training text.

    Returns:
        JSON: `tokenizer`, itself JSON as `WordTokenizer.json` writes it.

    Raises:
        DataError: If the text is empty.
        ValueError: If a value is out of its range.
    """
    tokenizer = WordTokenizer.train(
        train.lines, config.data.max_tokens, unit=config.data.unit, name=train.name
    )
    return {"tokenizer": tokenizer.json()}


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> LanguageModelling:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training text.

    Raises:
        ValueError: If a value is out of its range.
    """
    tokenizer = WordTokenizer.from_json(info["tokenizer"])
    model = wiring.network(
        models.language_model,
        config,
        vocabulary_size=tokenizer.vocabulary_size,
        dtype=compute_dtype(config.dtype),
    )
    longest = getattr(model, "max_length", config.window)
    if config.window > longest:
        raise ValueError(
            f"window must be at most {longest}, the positions of the network, got {config.window}"
        )
    return LanguageModelling(
        model=model,
        tokenizer=tokenizer,
        window=config.eval.window,
        context=config.eval.context,
        sum_over_steps=config.loss.sum_over_steps,
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
    tokenizer = WordTokenizer.from_json(info["tokenizer"])
    return _eval_stream(config, tokens_of(_open(config, split), tokenizer))


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training text.

    Raises:
        ValueError: If a value is out of its range.
    """
    text = _open(config, "train")
    new_run = info is None
    info = _info(config, text) if info is None else info
    the_task = task(config, info)
    train = tokens_of(text, the_task.tokenizer)
    val = tokens_of(_open(config, "val"), the_task.tokenizer)
    train_data = train_stream(
        train,
        batch_size=config.batch_size,
        window=config.window,
        shifted=config.data.shifted,
        seed=config.seed,
        num_workers=config.num_workers,
        prefetch=config.data.prefetch,
    )
    eval_sets = {"val": EvalSet(_eval_stream(config, val))}
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
        collections={CARRY: "rows"} if the_task.model.empty_carry(1) else {},
        init_from=wiring.init_from(config, config.variant, now=new_run),
        best=Best("val/perplexity", "min"),
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, epoch),
    )


def _open(config: Config, split: str) -> Text:
    data = config.data
    if data.source not in SOURCES:
        raise ValueError(f"data.source must be one of {', '.join(SOURCES)}, got {data.source}")
    if split not in _DRAWN:
        raise ValueError(f"split must be train, val or test, got {split}")
    if not data[split]:
        raise ValueError(f"data.{split} must name a split, and it is empty")
    if data.source == "text":
        if not data.path:
            raise ValueError("data.path must name a text or a folder for data.source=text")
        return read_text(data.path, data[split])
    check_no_path(data.source, data.path)
    ranges.check(config, "[800, 10_000_000]", "data.sentences")
    seed, part = _DRAWN[split]
    sentences = drawn_text(data.sentences // part, seed=seed).sentences
    return Text([" ".join(words) for words in sentences], f"{len(sentences):,} drawn sentences")


def _eval_stream(config: Config, text: Tokens) -> Stream:
    return eval_stream(
        text,
        batch_size=config.eval.batch_size or config.batch_size,
        window=config.eval.window,
        context=config.eval.context,
        prefetch=config.data.prefetch,
    )
