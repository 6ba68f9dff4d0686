"""Trained vectors of words, documents, nodes or items: neighbours, analogies, pictures."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.plans.word_blocks import WordBlocks
from jaxvision.data.text.vectors_file import write_vectors
from jaxvision.data.text.vocabulary import Vocabulary
from jaxvision.data.words import question_stream, read_questions, tokens_of
from jaxvision.inference.predictor import Origin, Predictor
from jaxvision.inference.program import Program
from jaxvision.inference.reports.layout import EvaluationReport, Section, metrics_table
from jaxvision.inference.result import Result
from jaxvision.losses.metric_learning import normalized
from jaxvision.plots.embedding import embedding_figure
from jaxvision.plots.style import to_rgb
from jaxvision.tasks.word_embedding import WordEmbedding, nearest
from jaxvision.train.evaluate import Evaluation

# Words of a picture, where none are named.
_DRAWN = 300
# Words of an analogy's question.
_ANALOGY = 3
_LARGEST_TOP = 10_000


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours(Result):
    """The words nearest to one, or to an analogy's answer.

    Attributes:
        query: What was asked.
        words: Nearest first.
        cosines: Of each with the query, in [-1, 1].
        vectors: Of each [K, D].
    """

    query: str
    words: tuple[str, ...]
    cosines: tuple[float, ...]
    vectors: np.ndarray

    columns = ("query", "word", "cosine")

    def plot(self) -> np.ndarray:
        """Draws the neighbours in two dimensions, RGB [H, W, 3] uint8."""
        return to_rgb(embedding_figure(self.vectors, self.words, title=f"near {self.query}"))

    def to_dict(self) -> dict[str, Any]:
        """Returns query and neighbours as values that JSON can hold."""
        pairs = zip(self.words, self.cosines, strict=True)
        found = [{"word": word, "cosine": round(cosine, 6)} for word, cosine in pairs]
        return {"query": self.query, "neighbours": found}

    def summary(self) -> str:
        """Returns the neighbours with their cosines."""
        pairs = zip(self.words, self.cosines, strict=True)
        return ", ".join(f"{word} {cosine:.3f}" for word, cosine in pairs)

    def rows(self) -> list[dict[str, Any]]:
        """Returns a row for each neighbour."""
        return [{"query": self.query, **row} for row in self.to_dict()["neighbours"]]


class WordVectors(Predictor):
    """Looks up vectors, and which are near each other.

        vectors = jaxvision.load("runs/word2vec")
        vectors("dog").summary()
        vectors.analogy("dog", "dogs", "cat").words[0]
        vectors.vector("dog")
        vectors.save("vectors.txt")

    Attributes:
        words: The vocabulary, most frequent first.
        top: Neighbours of a word.
    """

    reads = "words"
    options = ("top",)
    formats = ("json", "csv")
    batch_size = 1
    task: WordEmbedding

    def __init__(
        self,
        task: WordEmbedding,
        variables: Mapping[str, Any],
        *,
        top: int = 10,
        origin: Origin | None = None,
    ) -> None:
        """Puts the tables on the devices.

        Args:
            task: Vocabulary and loss.
            variables: {"params"} with the tables.
            top: Neighbours of a word.
            origin: The run that the tables come from.

        Raises:
            ValueError: If `top` is out of its range, or the tables are of another vocabulary.
        """
        if not 1 <= top <= _LARGEST_TOP:
            raise ValueError(f"top must be in [1, {_LARGEST_TOP}], got {top}")
        tables = variables["params"]
        for name, rows in (("words", task.words), ("documents", task.documents)):
            if name in tables and tables[name].shape != (len(rows), task.size):
                raise ValueError(
                    f"the table {name} must be {[len(rows), task.size]}, got "
                    f"{list(tables[name].shape)}"
                )
        super().__init__(task, variables, origin=origin)
        self.top = top
        self.words = task.words
        self._numbers = Vocabulary(task.words, task.counts).numbers
        self._infer_vectors = jax.jit(functools.partial(_inferred, task))

    def replaced(self, *, top: int | None = None) -> "WordVectors":
        """Returns the same vectors with another number of neighbours; None keeps it."""
        return WordVectors(
            self.task, self.variables, top=self.top if top is None else top, origin=self.origin
        )

    def __call__(self, inputs: str | Sequence[str]) -> Any:
        """Finds the nearest words.

        Args:
            inputs: A word, or several.

        Returns:
            `Neighbours` of a word, a list of them for several.

        Raises:
            ValueError: If a word is not in the vocabulary.
        """
        if isinstance(inputs, str):
            return self.near(self.vector(inputs), query=inputs, without=(inputs,))
        return [self(word) for word in inputs]

    def vector(self, word: str) -> np.ndarray:
        """Returns the vector of a word [D] float32.

        Raises:
            ValueError: If it is not in the vocabulary.
        """
        return np.asarray(self._table()[self._number(word)])

    def near(self, vector: np.ndarray, *, query: str = "", without: Sequence[str] = ()) -> Any:
        """Finds the words nearest to a vector, but for some.

        Args:
            vector: [D].
            query: What it is called in the result.
            without: Words that are no answers.

        Returns:
            `Neighbours`.
        """
        table = self._table()
        excluded = np.array([[self._number(word) for word in without]], np.int32).reshape(1, -1)
        count = min(self.top, len(table) - len(set(without)))
        cosines, rows = nearest(table, jnp.asarray(vector)[None], excluded, top=max(count, 1))
        found = np.asarray(rows[0])
        words = tuple(self.words[i] for i in found)
        values = tuple(float(x) for x in np.asarray(cosines[0]))
        return Neighbours(query, words, values, np.asarray(table)[found])

    def analogy(self, a: str, b: str, c: str) -> Neighbours:
        """Answers "a is to b as c is to ?" by 3CosAdd: what is nearest to b - a + c.

        Raises:
            ValueError: If a word is not in the vocabulary.
        """
        first, second, third = (normalized(jnp.asarray(self.vector(w))) for w in (a, b, c))
        query = f"{a} : {b} :: {c} : ?"
        return self.near(np.asarray(second - first + third), query=query, without=(a, b, c))

    def look_up(self, query: str) -> Neighbours:
        """Answers a word, or an analogy that is written as a:b:c.

        Raises:
            ValueError: If a word is not in the vocabulary.
        """
        parts = query.split(":")
        return self.analogy(*parts) if len(parts) == _ANALOGY else self(query)

    def analogies(self, path: str) -> dict[str, float]:
        """Measures the answers to a file in the format of `questions-words.txt`.

        Args:
            path: The file; questions with unknown words are left out.

        Returns:
            `accuracy`.

        Raises:
            DataError: If the file has a fault, or no question is left.
        """
        lower = bool(self.origin and self.origin.config.data.get("lower", False))
        vocabulary = Vocabulary(self.words, self.task.counts)
        questions = read_questions(path, vocabulary, lower=lower)
        return self.evaluation(question_stream(questions, 256), "analogies").metrics

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Writes the vectors in word2vec's text format, which `read_vectors` and gensim read.

        Args:
            path: The file; compressed if it ends in .gz.
        """
        return write_vectors(path, self.words, np.asarray(self._table()))

    def plot(
        self,
        words: Sequence[str] | None = None,
        groups: Mapping[str, str] | None = None,
    ) -> np.ndarray:
        """Draws words in two dimensions by t-SNE.

        Args:
            words: Which; by default the 300 most frequent.
            groups: Group of each word, which is its colour.

        Returns:
            RGB [H, W, 3] uint8.

        Raises:
            ValueError: If a word is not in the vocabulary, or there are fewer than four.
        """
        names = list(self.words[:_DRAWN]) if words is None else list(words)
        vectors = np.asarray(self._table())[[self._number(word) for word in names]]
        colours = None if groups is None else [groups.get(word, "") for word in names]
        return to_rgb(embedding_figure(vectors, names, groups=colours))

    def infer(
        self, words: Sequence[str], *, steps: int = 50, rate: float = 0.025, seed: int = 0
    ) -> np.ndarray:
        """Learns the vector of a new document, while all other vectors stay as they are.

        Args:
            words: Of the document; unknown ones are left out.
            steps: Times that the document is read.
            rate: Learning rate of the first; it falls linearly.
            seed: Of the vector that it starts from, the windows and the noise.

        Returns:
            [D] float32, to be compared with the rows of `params["documents"]`.

        Raises:
            ValueError: If the run has no documents, or no word is known.
        """
        if not self.task.documents:
            raise ValueError("only a run of pv_dm or pv_dbow has vectors of documents")
        if not 1 <= steps <= 100_000:
            raise ValueError(f"steps must be in [1, 100,000], got {steps}")
        text = tokens_of([list(words)], Vocabulary(self.words, self.task.counts))
        if not (text.words >= 0).any():
            raise ValueError("a document must have at least one word of the vocabulary, got none")
        plan = WordBlocks(
            lambda epoch, rng: text, block=64, halo=self.task.window, batch_size=1, ordered=True
        )
        blocks = np.concatenate([rows.index[:, 0] for rows in plan(0, np.random.default_rng(0))])
        constants = self.task.constants()
        rates = rate * (1 - np.arange(steps, dtype=np.float32) / steps)
        tables = {name: x for name, x in self.params.items() if name != "documents"}
        found = self._infer_vectors(tables, blocks, constants, rates, jax.random.key(seed))
        return np.asarray(found)

    def program(self) -> Program:
        """Returns all that finding the neighbours of words computes."""

        def inputs(batch: int) -> tuple[np.ndarray, ...]:
            return (np.zeros((batch, self.task.size), np.float32) + 1.0,)

        name, top = self._name(), min(self.top, len(self.words))

        def apply(variables: Any, queries: jax.Array) -> Any:
            none = jnp.full((len(queries), 1), -1, jnp.int32)
            return nearest(variables["params"][name], queries, none, top=top)

        return Program(apply, inputs, "word")

    def served(self, *, nms: bool = False) -> Program:
        """Has no form for other runtimes, as a table needs no program.

        Raises:
            ValueError: Always.
        """
        del nms
        raise ValueError(
            "vectors are exported as .safetensors, or by save() in word2vec's text format"
        )

    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out the metrics of an evaluation."""
        del data
        metrics = evaluation.metrics
        headline = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        sections = [Section("Metrics", "", [metrics_table(metrics)])]
        return EvaluationReport(headline, {"metrics": metrics}, sections)

    def _name(self) -> str:
        return "words" if "words" in self.params else "outputs"

    def _table(self) -> jax.Array:
        """The vectors of words; of PV-DBOW, which has no others, those of its outputs."""
        table = self.params[self._name()]
        if len(table) != len(self.words):
            raise ValueError("a run of pv_dbow with hierarchical softmax has no vectors of words")
        return table

    def _number(self, word: str) -> int:
        if word not in self._numbers:
            raise ValueError(f"expected a word of the {len(self.words):,} in the run, got {word!r}")
        return self._numbers[word]


def _inferred(
    task: WordEmbedding,
    tables: Mapping[str, jax.Array],
    blocks: jax.Array,
    constants: Mapping[str, jax.Array],
    rates: jax.Array,
    key: jax.Array,
) -> jax.Array:
    """Descends the loss of a document by its vector [D]; see `WordVectors.infer`."""
    bound = 0.5 / task.size
    start = jax.random.uniform(key, (1, task.size), minval=-bound, maxval=bound)

    def learn(vector: jax.Array, inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        rate, number = inputs
        batch = {"tokens": blocks, "documents": jnp.zeros_like(blocks), **constants}
        ids, known = task.lookup(batch, jax.random.fold_in(key, number))

        def loss(vector: jax.Array) -> jax.Array:
            rows = {name: {**tables, "documents": vector}[name][i] for name, i in ids.items()}
            return task.loss_of_rows(rows, known)[0]

        return vector - rate * jax.grad(loss)(vector), None

    vector, _ = jax.lax.scan(learn, start, (rates, jnp.arange(len(rates))))
    return vector[0]
