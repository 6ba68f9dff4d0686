"""Vectors of words, documents, nodes or items, learned from which of them occur together."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.losses import word_embedding as losses
from jaxvision.losses.metric_learning import normalized
from jaxvision.metrics.words import NodeProbe, PairLoss, RightAnswers
from jaxvision.ops import ranges
from jaxvision.ops.alias import AliasTable, alias_table, draw
from jaxvision.ops.huffman import huffman_tree
from jaxvision.tasks.task import Batch, Loss, ModelState, Params

VARIANTS = ("skip_gram", "cbow", "pv_dm", "pv_dbow")
OF_DOCUMENTS = ("pv_dm", "pv_dbow")
OUTPUTS = ("negative", "hierarchical")
# Exponent of the noise distribution over the counts.
POWER = 0.75


class Known(NamedTuple):
    """What a batch says besides the rows that it uses.

    Attributes:
        window: Which token is in the window of which centre [..., S, L] bool.
        centres: Words in the middle of windows [..., L], -1 for none.
        noise: Words drawn as negatives [..., N], or None.
        codes: Huffman codes of the centres [..., L, P], or None.
    """

    window: jax.Array
    centres: jax.Array
    noise: jax.Array | None
    codes: jax.Array | None


@dataclasses.dataclass(frozen=True)
class WordEmbedding:
    """Trains tables of vectors on `jaxvision.data.batch.WordBatch`.

    Attributes:
        words: The vocabulary, most frequent word first.
        counts: How often each occurs.
        documents: Names of documents, of PV-DM and PV-DBOW alone.
        size: D.
        variant: `skip_gram` (each word of a window predicts its centre), `cbow` (their mean does),
            `pv_dm` (their mean and the document's vector do), `pv_dbow` (the document alone does).
        window: Tokens on each side of a centre, at most, w.
        dynamic: Whether each window has a reach of its own, drawn from 1 to w.
        output: `negative` for negative sampling, `hierarchical` for Huffman's tree.
        negatives: Noise words of a pair.
        shared: Noise words that are drawn for a block; its pairs share them, with weights so that
            each has `negatives` of them.
        undivided: Whether each word of a mean gets the whole gradient, as in word2vec's program.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]
    documents: tuple[str, ...] = ()
    size: int = 100
    variant: str = "skip_gram"
    window: int = 5
    dynamic: bool = True
    output: str = "negative"
    negatives: int = 5
    shared: int = 16
    undivided: bool = True

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {self.variant}")
        if self.output not in OUTPUTS:
            raise ValueError(f"loss.output must be one of {', '.join(OUTPUTS)}, got {self.output}")
        if len(self.words) < 2 or len(self.words) != len(self.counts):
            raise ValueError(
                f"the vocabulary must have at least two words, each with its count, got "
                f"{len(self.words)} and {len(self.counts)}"
            )
        if (self.variant in OF_DOCUMENTS) != bool(self.documents):
            raise ValueError(f"documents must be there for pv_dm and pv_dbow alone: {self.variant}")
        ranges.check(self, "[1, 100_000]", "size", "negatives", "shared")
        ranges.check(self, "[1, 1000]", "window")

    def constants(self) -> dict[str, np.ndarray]:
        """Makes the table of the noise distribution, or Huffman's tree: constants of a run."""
        if self.output == "negative":
            return alias_table(np.asarray(self.counts, np.float64) ** POWER)._asdict()
        return {f"tree_{name}": x for name, x in huffman_tree(self.counts)._asdict().items()}

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Draws small input vectors; the output vectors are 0."""
        del batch
        bound = 0.5 / self.size
        sizes = self._sizes()
        outputs = jnp.zeros((sizes.pop("outputs"), self.size))
        params = {
            name: jax.random.uniform(
                jax.random.fold_in(key, i), (sizes[name], self.size), minval=-bound, maxval=bound
            )
            for i, name in enumerate(sorted(sizes, reverse=True))
        }
        return {**params, "outputs": outputs}, {}

    def lookup(self, batch: Batch, key: jax.Array) -> tuple[dict[str, jax.Array], Known]:
        """Returns the rows of each table that a batch uses, and what else it says."""
        tokens = batch["tokens"]
        size = tokens.shape[-1]
        centres = tokens[..., self.window : size - self.window]
        reach_key, noise_key = jax.random.split(key)
        reach = jnp.full(centres.shape, self.window)
        if self.dynamic:
            reach = jax.random.randint(reach_key, centres.shape, 1, self.window + 1)
        noise = codes = None
        safe = jnp.maximum(centres, 0)
        if self.output == "negative":
            table = AliasTable(batch["share"], batch["other"])
            noise = draw(noise_key, table, (*centres.shape[:-1], self.shared))
            outputs = jnp.concatenate([safe, noise], axis=-1)
        else:
            codes = batch["tree_codes"][safe]
            outputs = jnp.maximum(batch["tree_nodes"][safe], 0).reshape(*centres.shape[:-1], -1)
        ids = {"outputs": outputs}
        if self.variant != "pv_dbow":
            ids["words"] = jnp.maximum(tokens, 0)
        if self.documents:
            documents = batch["documents"][..., self.window : size - self.window]
            ids["documents"] = jnp.maximum(documents, 0)
        return ids, Known(losses.windows(tokens, reach), centres, noise, codes)

    def loss_of_rows(
        self, rows: Mapping[str, jax.Array], known: Known
    ) -> tuple[jax.Array, jax.Array]:
        """Returns the sum of the losses of all pairs, and the number of pairs."""
        pairs, inputs = self._queries(rows, known)
        weights = self._weights(pairs, known)
        return losses.embedding_loss(inputs, rows["outputs"], weights), pairs.sum() * 1.0

    def damping(
        self,
        ids: Mapping[str, jax.Array],
        rows: Mapping[str, jax.Array],
        known: Known,
        rate: jax.Array,
    ) -> dict[str, jax.Array]:
        """Returns what the step of each row is multiplied by, so that their sum stays stable."""
        pairs, inputs = self._queries(rows, known)
        weights = self._weights(pairs, known)
        of_queries, of_outputs = losses.curvatures(inputs, rows["outputs"], weights)
        curvature = {"outputs": of_outputs}
        if self.documents:
            curvature["documents"] = of_queries
        if self.variant == "skip_gram":
            curvature["words"] = of_queries
        elif "words" in rows:  # a word is in the queries of all windows that hold it
            curvature["words"] = jnp.einsum("...sl,...l->...s", known.window * 1.0, of_queries)
        sizes = self._sizes()
        return {
            name: losses.damping(ids[name], curvature[name], rate, table_size=sizes[name])
            for name in ids
        }

    def _sizes(self) -> dict[str, int]:
        """Returns the rows of each table."""
        inner = self.output == "hierarchical"  # nodes of the tree, one less than leaves
        sizes = {"outputs": len(self.words) - inner, "documents": len(self.documents)}
        if self.variant != "pv_dbow":
            sizes["words"] = len(self.words)
        return {name: size for name, size in sizes.items() if size}

    def _queries(self, rows: Mapping[str, jax.Array], known: Known) -> tuple[jax.Array, jax.Array]:
        """Returns which query predicts which centre [..., Q, L], and the queries [..., Q, D]."""
        if self.variant == "skip_gram":
            return known.window, rows["words"]
        there = known.centres >= 0
        if self.variant == "cbow":
            there &= known.window.any(axis=-2)
        own = jnp.eye(there.shape[-1], dtype=bool)
        pairs = there[..., None, :] & jnp.broadcast_to(own, (*there.shape, len(own)))
        if self.variant == "pv_dbow":
            return pairs, rows["documents"]
        documents = rows.get("documents")
        return pairs, losses.bags(rows["words"], known.window, documents, undivided=self.undivided)

    def _weights(self, pairs: jax.Array, known: Known) -> losses.Weights:
        if known.noise is not None:
            return losses.sampled_weights(pairs, known.centres, known.noise, self.negatives)
        return losses.tree_weights(pairs, jnp.asarray(known.codes))

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the mean loss of a pair, of a whole batch at once."""
        del step
        ids, known = self.lookup(batch, key)
        total, count = self.loss_of_rows({name: params[name][i] for name, i in ids.items()}, known)
        return Loss(total / jnp.maximum(count, 1.0), state, {})

    def predict(self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array) -> Any:
        """Computes what a batch asks: analogies, vectors of nodes, or the loss of a text."""
        del state
        if "questions" in batch:
            return analogies(params["words"], batch["questions"])
        if "train_nodes" in batch:
            return {"vectors": params["words"]}
        ids, known = self.lookup(batch, key)
        total, count = self.loss_of_rows({name: params[name][i] for name, i in ids.items()}, known)
        return {"total": total, "pairs": count}

    def measure(self, predictions: Any, batch: Batch) -> Any:
        """Compares answers with the questions, or sums up losses."""
        if "questions" in batch:
            asked = np.asarray(batch["mask"], bool)
            right = np.asarray(predictions) == np.asarray(batch["questions"])[:, 3]
            return RightAnswers(int((right & asked).sum()), int(asked.sum()))
        if "train_nodes" in batch:
            return NodeProbe.from_model_output(vectors=predictions["vectors"], batch=batch)
        return PairLoss(float(predictions["total"]), float(predictions["pairs"]))


@functools.partial(jax.jit, static_argnames="top")
def nearest(table: jax.Array, queries: jax.Array, excluded: jax.Array, top: int = 1) -> Any:
    """Finds the rows of a table whose directions are nearest to those of queries.

    Args:
        table: [V, D].
        queries: [B, D].
        excluded: Rows that are no answers [B, E] int32; -1 for none.
        top: Answers of each, K.

    Returns:
        Cosines [B, K], highest first, and rows [B, K] int32.
    """
    similarity = jnp.einsum("bd,vd->bv", normalized(queries), normalized(table))
    rows = jnp.arange(len(queries))[:, None]
    place = jnp.where(excluded < 0, len(table), excluded)
    return jax.lax.top_k(similarity.at[rows, place].set(-jnp.inf, mode="drop"), top)


def analogies(table: jax.Array, questions: jax.Array) -> jax.Array:
    """Answers "a is to b as c is to ?" by 3CosAdd, Mikolov et al. 2013.

    The answer is the word nearest to b - a + c of the unit vectors, other than a, b and c.

    Args:
        table: [V, D].
        questions: Words a, b, c and perhaps more [B, 3 or 4] int32.

    Returns:
        [B] int32.
    """
    a, b, c = (normalized(table[questions[:, i]]) for i in range(3))
    return nearest(table, b - a + c, questions[:, :3])[1][:, 0]
