"""One sparse step, against plain loops in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick

from jaxvision.ops.huffman import huffman_tree
from jaxvision.tasks.word_embedding import WordEmbedding, analogies, nearest
from jaxvision.train.sparse import make_sparse_step
from jaxvision.train.state import TrainState

WORDS, WINDOW, RATE = 9, 2, 0.05
TOKENS = np.array([[-1, -1, 0, 3, 5, 3, -1, 2, 8, 1], [4, 4, 4, 0, 1, 7, 6, -1, -1, -1]], np.int32)
DOCUMENTS = np.array([[0] * 7 + [1] * 3, [2] * 10], np.int32)
CASES = [(v, o) for v in ("skip_gram", "cbow", "pv_dm", "pv_dbow") for o in ["negative", "tree"]]


def built(variant, output, **fields):
    counts = tuple(range(30, 30 - WORDS, -1))
    documents = ("a", "b", "c") if variant.startswith("pv") else ()
    return WordEmbedding(
        words=tuple("abcdefghi"),
        counts=counts,
        documents=documents,
        size=4,
        variant=variant,
        window=WINDOW,
        dynamic=False,
        output="negative" if output == "negative" else "hierarchical",
        negatives=3,
        shared=5,
        **fields,
    )


def batch_of(task):
    batch = {"tokens": TOKENS, **task.constants()}
    return batch | ({"documents": DOCUMENTS} if task.documents else {})


def state_of(task):
    shapes = jax.eval_shape(lambda: task.init(jax.random.key(0), {})[0])
    rng = np.random.default_rng(0)
    params = {k: jnp.asarray(rng.normal(size=x.shape), jnp.float32) for k, x in shapes.items()}
    return TrainState(jnp.zeros((), jnp.int32), params, {}, (), None)


def targets(task, word, noise):
    """Outputs of a word with the label and the weight of each."""
    if task.output == "negative":
        weight = task.negatives / len(noise)
        return [(word, 1, 1.0)] + [(int(n), 0, weight) for n in noise if n != word]
    tree = huffman_tree(task.counts)
    return [
        (n, 1 - c, 1.0)
        for n, c in zip(tree.nodes[word].tolist(), tree.codes[word].tolist(), strict=True)
        if n >= 0
    ]


def learned(task, params, tokens, documents, noise):
    """Plain loops over one block: parameters after it, sum of losses, number of pairs."""
    tables = {name: np.asarray(x, np.float64) for name, x in params.items()}
    grads = {name: np.zeros_like(x) for name, x in tables.items()}
    total = pairs = 0
    for place in range(WINDOW, len(tokens) - WINDOW):
        word = tokens[place]
        if word < 0:
            continue
        around = []
        for step in (-1, 1):
            for distance in range(1, WINDOW + 1):
                other = tokens[place + step * distance]
                if other < 0:
                    break
                around.append(("words", other))
        document = ("documents", documents[place])
        queries = {
            "skip_gram": [[each] for each in around],
            "cbow": [around] if around else [],
            "pv_dm": [[*around, document]],
            "pv_dbow": [[document]],
        }[task.variant]
        for query in queries:
            mean = sum(tables[name][row] for name, row in query) / len(query)
            back = np.zeros_like(mean)
            for output, label, weight in targets(task, word, noise):
                vector = tables["outputs"][output]
                score = vector @ mean
                total += weight * np.log1p(np.exp(-score if label else score))
                slope = weight * (1 / (1 + np.exp(-score)) - label)
                grads["outputs"][output] += slope * mean
                back += slope * vector
            for name, row in query:
                grads[name][row] += back if task.undivided else back / len(query)
            pairs += 1
    return {k: x - RATE * grads[k] for k, x in tables.items()}, total, pairs


@pytest.mark.parametrize(
    ("variant", "output"),
    [
        x
        if x in (("skip_gram", "negative"), ("pv_dm", "tree"))
        else pytest.param(*x, marks=pytest.mark.slow)
        for x in CASES
    ],
)
@pytest.mark.parametrize("undivided", quick([True, False], True))
def test_step_equals_loops(variant, output, undivided, monkeypatch):
    # The vectors here are long; what shortens their steps has a test of its own.
    monkeypatch.setattr(
        WordEmbedding,
        "damping",
        lambda self, ids, *_: {k: jnp.ones(i.shape) for k, i in ids.items()},
    )
    task = built(variant, output, undivided=undivided)
    state, key, batch = state_of(task), jax.random.key(7), batch_of(task)
    cut = ("tokens", "documents") if task.documents else ("tokens",)
    step = make_sparse_step(task, None, None, learning_rate=lambda step: RATE, parts=2, cut=cut)
    after, logs = jax.jit(step)(state, batch, key)

    keys = jax.random.split(jax.random.fold_in(key, 0), 2)
    params, total, pairs = state.params, 0, 0
    for tokens, documents, part_key in zip(TOKENS, DOCUMENTS, keys, strict=True):
        # The noise is drawn in float32 on the device, the rest is done anew.
        part = {**batch, "tokens": tokens[None], "documents": documents[None]}
        known = task.lookup(part, part_key)[1]
        noise = None if known.noise is None else np.asarray(known.noise)[0]
        params, loss, count = learned(task, params, tokens, documents, noise)
        total, pairs = total + loss, pairs + count
    assert int(after.step) == 1
    assert float(logs["loss"]) == pytest.approx(total / pairs, rel=1e-5)
    for name, wanted in params.items():
        assert np.abs(np.asarray(after.params[name]) - wanted).max() < 1e-5, name
        assert np.abs(wanted - np.asarray(state.params[name])).max() > 1e-2, name


def test_no_array_of_a_step_has_a_gradient_of_the_tables():
    task = built("skip_gram", "negative")
    step = make_sparse_step(
        task, None, None, learning_rate=lambda step: RATE, parts=2, cut=("tokens",)
    )
    text = str(jax.make_jaxpr(step)(state_of(task), batch_of(task), jax.random.key(0)))
    # Tables go through scatter alone: no zeros or sums of their shape.
    made = [line for line in text.splitlines() if "f32[9,4] =" in line]
    assert made and all("scatter" in line or "scan" in line for line in made)


def test_an_average_is_refused():
    with pytest.raises(ValueError, match=r"ema.decay and ema.tail must be 0"):
        make_sparse_step(None, None, lambda step: 0.9, learning_rate=None, parts=1, cut=())


def test_nearest_rows_and_analogies_by_hand():
    table = jnp.asarray([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0], [-3.0, 0.0]])
    cosines, rows = nearest(table, table[:1], jnp.asarray([[0]]), top=2)
    assert rows.tolist() == [[1, 2]] and np.allclose(cosines, [[0.5**0.5, 0.0]], atol=1e-6)
    # 0 is to 1 as 2 is to: the direction a bit left of straight up.
    assert analogies(table, jnp.asarray([[0, 1, 2]])).tolist() == [3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(variant="glove"), "variant must be one of skip_gram"),
        (dict(output="softmax"), "loss.output must be one of negative, hierarchical"),
        (dict(words=("a",)), "at least two words"),
        (dict(documents=("a",)), "documents must be there"),
        (dict(negatives=0), "negatives must be in"),
    ],
)
def test_wrong_options_are_refused(changes, message):
    options = dict(words=("a", "b"), counts=(2, 1)) | changes
    with pytest.raises(ValueError, match=message):
        WordEmbedding(**options)
