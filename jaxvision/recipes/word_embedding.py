"""Vectors of words (word2vec), of documents (doc2vec) and of items in baskets (item2vec)."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import optax
from ml_collections import ConfigDict

from jaxvision.data.plans.word_blocks import Tokens, WordBlocks
from jaxvision.data.sources.drawn import check_no_path
from jaxvision.data.sources.drawn_text import drawn_baskets, drawn_text
from jaxvision.data.stream import Stream
from jaxvision.data.text.phrases import find_phrases, join_phrases
from jaxvision.data.text.vocabulary import Vocabulary, count_words, keep_probability
from jaxvision.data.words import (
    Sentences,
    question_stream,
    read_questions,
    read_sentences,
    tokens_of,
    word_stream,
)
from jaxvision.ops import ranges
from jaxvision.recipes import values, wiring
from jaxvision.recipes.values import Config
from jaxvision.tasks.word_embedding import OF_DOCUMENTS, WordEmbedding
from jaxvision.train.experiment import Best, EvalSet, Experiment
from jaxvision.train.sparse import make_sparse_step

FREE = (*values.FREE, "eval.analogies")
SOURCES = ("drawn", "drawn_baskets", "text")
_DRAWN = {"drawn": drawn_text, "drawn_baskets": drawn_baskets}
_VAL_SEED = 1
# Reach of a window that is a whole basket, at most.
_LARGEST = 256


def defaults() -> Config:
    """Returns all values, locked; those of word2vec's own program for skip-gram."""
    config = embedding_values()
    config.data.update(source="drawn")  # or drawn_baskets, text
    config.data.sentences = 6000  # that are drawn
    config.data.min_count = 5  # words that occur less often have no vector
    config.data.max_words = 0  # words that have one, the most frequent; 0: all
    config.data.lower = False  # whether capital letters become small ones
    config.data.subsample = 1e-3  # share of the text above which a word is thinned; 0: none
    config.data.phrases = 0.0  # score above which two neighbours are one word, as 100; 0: none
    config.data.phrase_rounds = 1  # each finds phrases of those found before
    config.eval.analogies = ""  # a file such as questions-words.txt
    return values.locked(config)


def embedding_values() -> Config:
    """Returns the values of every recipe that trains tables of vectors, not yet locked."""
    config = values.common()
    config.update(variant="skip_gram", epochs=5, num_workers=1, dtype="float32")
    config.size = 100  # of a vector
    config.batch_size = 256  # blocks a step
    config.block = 32  # words of a block whose windows are learned
    config.update_blocks = 4  # blocks that one update is of; the others of a step come after it
    config.loss = ConfigDict()
    config.loss.output = "negative"  # or hierarchical
    config.loss.negatives = 5  # noise words of a pair
    config.loss.shared = 16  # noise words drawn for a block, shared by its pairs
    config.loss.window = 5  # words on each side, at most; 0: the whole sentence, as of a basket
    config.loss.dynamic = True  # whether the reach of each window is drawn from 1 to `window`
    config.loss.undivided = True  # whether words of a mean get its whole gradient
    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"  # by the sum of a block's losses; there is no other
    config.optimizer.learning_rate = 0.025
    config.optimizer.base_batch = 0
    config.schedule.update(name="polynomial", final_ratio=1e-4)
    return config


def info(config: Config, train: Sentences) -> dict[str, Any]:
    """Returns what the task must know of the text, as JSON: the vocabulary and the phrases.

    Args:
        config: The values.
        train: The training text.

    Raises:
        DataError: If the text is empty, or so is the vocabulary.
        ValueError: If a value is out of its range.
    """
    ranges.check(config, "[0, inf)", "data.phrases")
    ranges.check(config, "[1, 10]", "data.phrase_rounds")
    phrases: list[list[list[str]]] = []
    sentences = train.lists
    for _ in range(config.data.phrase_rounds if config.data.phrases else 0):
        found = find_phrases(
            sentences, min_count=config.data.min_count, threshold=config.data.phrases
        )
        phrases.append(sorted(map(list, found)))
        sentences = list(join_phrases(sentences, found))
    vocabulary = count_words(
        sentences,
        min_count=config.data.min_count,
        max_words=config.data.max_words,
        name=train.name,
    )
    return {
        "words": list(vocabulary.words),
        "counts": list(vocabulary.counts),
        "phrases": phrases,
        "sentences": len(sentences),
        "longest": max(map(len, sentences)),
    }


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> WordEmbedding:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training text.

    Raises:
        ValueError: If a value is out of its range.
    """
    loss = wiring.keywords(config.loss)
    loss["window"] = loss["window"] or max(info["longest"] - 1, 1)
    if not config.loss.window and loss["window"] > _LARGEST:
        raise ValueError(
            f"loss.window=0 is for sentences of at most {_LARGEST + 1} words, got one of "
            f"{info['longest']}; set it to the words on each side"
        )
    count = info["sentences"] if config.variant in OF_DOCUMENTS else 0
    return WordEmbedding(
        words=tuple(info["words"]),
        counts=tuple(info["counts"]),
        documents=tuple(map(str, range(count))),
        size=config.size,
        variant=config.variant,
        **loss,
    )


def check_values(config: Config) -> None:
    """Checks what the values of `embedding_values` must be.

    Raises:
        ValueError: If one is out of its range.
    """
    ranges.check(config, "[1, 100_000]", "batch_size", "block", "update_blocks")
    only = ("dtype", config.dtype, "float32"), ("optimizer.name", config.optimizer.name, "sgd")
    for name, found, known in only:
        if found != known:
            raise ValueError(f"{name} must be {known} where tables of vectors are learned: {found}")
    if config.optimizer.base_batch or config.model:
        raise ValueError("optimizer.base_batch and model must be 0 and empty: they have no effect")
    if config.batch_size % config.update_blocks:
        raise ValueError(
            f"update_blocks must divide batch_size, {config.batch_size}, got {config.update_blocks}"
        )


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens one split for evaluation, or the analogies as `analogies`.

    Args:
        config: The values.
        info: What `info` returned for the training text.
        split: `train`, `val`, `test` or `analogies`.

    Raises:
        DataError: If the data has a fault.
        ValueError: If there is no such split, or the variant learns vectors of documents.
    """
    the_task = task(config, info)
    if split == "analogies":
        questions = _questions(config, info)
        if questions is None:
            raise ValueError("eval.analogies must name a file of analogies, got none")
        return question_stream(questions, config.eval.batch_size or config.batch_size)
    if the_task.documents:
        raise ValueError(
            f"{config.variant} has vectors of the documents that it was trained on alone; "
            "measure it by analogies, or infer the vectors of new documents"
        )
    return _val_stream(config, info, split, the_task, the_task.constants())


def _val_stream(
    config: Config,
    info: Mapping[str, Any],
    split: str,
    task: WordEmbedding,
    constants: Mapping[str, np.ndarray],
) -> Stream:
    """Makes evaluation batches of a text, none of whose words is dropped at random."""
    words = tokens_of(_open(config, info, split).lists, _vocabulary(info)).words
    plan = WordBlocks(
        lambda epoch, rng: Tokens(words),
        block=config.block,
        halo=task.window,
        batch_size=config.eval.batch_size or config.batch_size,
        ordered=True,
    )
    return word_stream(plan, constants=constants, seed=config.seed)


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the text.

    Raises:
        DataError: If the data has a fault.
        ValueError: If a value is out of its range.
    """
    check_values(config)
    new_run = info is None
    if info is None:
        info = _info(config, _open(config, {"phrases": []}, "train"))
    train, vocabulary = _open(config, info, "train"), _vocabulary(info)
    the_task = task(config, info)
    tokens = tokens_of(train.lists, vocabulary)
    if not the_task.documents:
        tokens = tokens._replace(documents=None)
    plan = WordBlocks(
        lambda epoch, rng: tokens,
        block=config.block,
        halo=the_task.window,
        batch_size=config.batch_size,
        keep=keep_probability(vocabulary.counts, config.data.subsample),
    )
    eval_sets = {}
    if not the_task.documents and config.data.val:
        eval_sets["val"] = EvalSet(_val_stream(config, info, "val", the_task, {}))
    questions = _questions(config, info) if config.variant != "pv_dbow" else None
    if questions is not None:
        rows = config.eval.batch_size or config.batch_size
        eval_sets["analogies"] = EvalSet(question_stream(questions, rows))
    print(
        f"{sum(vocabulary.counts):,} words of {len(vocabulary.words):,} kinds in "
        f"{len(train.lists):,} sentences"
        + (f", {len(questions):,} analogies" if questions is not None else "")
    )
    if "val" in eval_sets:
        best = Best("val/loss", "min")
    else:
        best = Best("analogies/accuracy") if eval_sets else None
    return embedding_experiment(
        config, the_task, plan, eval_sets, best, __name__, info, train.digest, now=new_run
    )


def embedding_experiment(
    config: Config,
    task: WordEmbedding,
    plan: WordBlocks,
    eval_sets: Mapping[str, EvalSet],
    best: Best | None,
    recipe: str,
    info: Mapping[str, Any],
    digest: Any,
    *,
    now: bool,
) -> Experiment:
    """Joins what every recipe of tables of vectors has: stream, sparse step, length of the run.

    Raises:
        ValueError: If a value is out of its range.
    """
    epoch = len(plan)
    rate = wiring.learning_rate(config, epoch=epoch)
    return Experiment(
        task=task,
        train_data=word_stream(
            plan,
            seed=config.seed,
            num_workers=config.num_workers,
            prefetch=config.data.prefetch,
            digest=digest,
        ),
        eval_data=eval_sets,
        constants=task.constants(),
        optimizer=optax.identity(),  # the step needs none
        learning_rate=rate,
        make_step=functools.partial(
            make_sparse_step,
            learning_rate=rate,
            parts=config.batch_size // config.update_blocks,
            cut=("tokens", "documents") if task.documents else ("tokens",),
        ),
        init_from=wiring.init_from(config, config.variant, now=now),
        best=best,
        meta=wiring.meta(recipe, config, info),
        **wiring.run_options(config, epoch),
    )


def _open(config: Config, info: Mapping[str, Any], split: str) -> Sentences:
    """Opens a split, with the phrases of the training text joined."""
    data = config.data
    if data.source not in SOURCES:
        raise ValueError(f"data.source must be one of {', '.join(SOURCES)}, got {data.source}")
    if split not in ("train", "val", "test"):
        raise ValueError(f"split must be one of train, val, test, analogies, got {split}")
    if not data[split]:
        raise ValueError(f"data.{split} must name a split, and it is empty")
    if data.source == "text":
        if not data.path:
            raise ValueError("data.path must name a text, or a folder of texts, for source=text")
        found = read_sentences(data.path, data[split], lower=data.lower)
    else:
        check_no_path(data.source, data.path)
        seed = 0 if split == "train" else _VAL_SEED
        found = Sentences(_DRAWN[data.source](data.sentences, seed=seed).sentences, "drawn")
    lists = found.lists
    for round_ in info["phrases"]:
        lists = list(join_phrases(lists, {(a, b) for a, b in round_}))
    return found._replace(lists=lists)


def _questions(config: Config, info: Mapping[str, Any]) -> np.ndarray | None:
    """Returns the analogies [Q, 4], or None."""
    vocabulary = _vocabulary(info)
    if config.eval.analogies:
        return read_questions(config.eval.analogies, vocabulary, lower=config.data.lower)
    if config.data.source != "drawn":
        return None
    numbers = vocabulary.numbers
    asked = drawn_text(config.data.sentences).analogies
    known = [[numbers[word] for word in four] for four in asked if all(w in numbers for w in four)]
    return np.array(known, np.int32) if known else None


def _vocabulary(info: Mapping[str, Any]) -> Vocabulary:
    return Vocabulary(tuple(info["words"]), tuple(info["counts"]))
