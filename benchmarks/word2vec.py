"""Words a second of skip-gram with negative sampling, here and in gensim, in turns.

    python benchmarks/word2vec.py --path=text.txt.gz                     # this library alone
    python benchmarks/word2vec.py --path=text.txt.gz --gensim=/path/to/python

The text has a sentence a line. `--gensim` is the interpreter of an environment that holds gensim,
or `self`. Both learn the same vocabulary with the same size, window, negatives and subsampling, on
the same cores. The last line is JSON: the medians of the turns, words of the text a second of the
clock and of processor time, and the share of this library's.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import jax
import numpy as np

from jaxvision.recipes import word_embedding
from jaxvision.train import sharding
from jaxvision.train.begin import step_of
from jaxvision.train.compiled import CompiledStep
from jaxvision.train.state import create_state

_GENSIM = """
import json, sys, time
from gensim.models import Word2Vec
from gensim.utils import open as open_text
path, options, workers = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
sentences = [line.split() for line in open_text(path, "rt", encoding="utf-8") if line.split()]
model = Word2Vec(sg=1, workers=workers, seed=1, **options)
model.build_vocab(sentences)
words = sum(model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key)
for line in sys.stdin:
    wall, spent = time.perf_counter(), time.process_time()
    model.train(sentences, total_examples=len(sentences), epochs=1)
    found = [words / (time.perf_counter() - wall), words / (time.process_time() - spent)]
    print(json.dumps(found), flush=True)
"""


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--path", type=pathlib.Path, required=True, help="the text")
    parser.add_argument("--gensim", default="", help="a Python that has gensim; self: this one")
    parser.add_argument("--workers", type=int, default=2, help="threads of gensim")
    parser.add_argument("--turns", type=int, default=5, help="epochs of each")
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--negatives", type=int, default=5)
    return parser.parse_args()


class Trainer:
    """Trains epochs of this library's skip-gram."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Compiles the step, and makes its first batches."""
        config = word_embedding.defaults()
        config.update(size=options.size, epochs=1000)
        config.loss.update(window=options.window, negatives=options.negatives)
        config.data.update(source="text", path=str(options.path), val="")
        experiment = word_embedding.experiment(config)
        self._data = experiment.train_data
        self.words = sum(experiment.meta["info"]["counts"])
        mesh = sharding.data_mesh()
        self._put = lambda batch: sharding.put_batch(batch, mesh, self._data.axis)
        self._batches = self._data.batches()
        batch = self._put(next(self._batches))
        constants = sharding.put_whole(dict(experiment.constants), sharding.replicated(mesh))
        shapes = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in batch.items()}
        self._state = create_state(experiment, shapes, mesh)
        self._key = sharding.put_key(jax.random.key(0), mesh)
        self._step = CompiledStep(step_of(experiment), mesh, constants)
        self._step.prepare(self._state, batch, self._key, 1)

    def epoch(self) -> tuple[float, float]:
        """Returns words a second of the clock and of processor time."""
        wall, spent = time.perf_counter(), time.process_time()
        for _ in range(self._data.steps_per_epoch):
            batch = self._put(next(self._batches))
            self._state, _ = self._step(self._state, batch, self._key)
        jax.block_until_ready(self._state)
        seconds = time.perf_counter() - wall, time.process_time() - spent
        return self.words / seconds[0], self.words / seconds[1]


def main() -> None:
    """Measures both in turns."""
    options = parse()
    trainer = Trainer(options)
    peer = None
    if options.gensim:
        python = sys.executable if options.gensim == "self" else options.gensim
        same = dict(
            vector_size=options.size,
            window=options.window,
            negative=options.negatives,
            sample=1e-3,
            min_count=5,
        )
        command = [python, "-c", _GENSIM, str(options.path), json.dumps(same), str(options.workers)]
        peer = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
    found: dict[str, list[tuple[float, float]]] = {"jaxvision": [], "gensim": []}
    trainer.epoch()
    for turn in range(options.turns):
        found["jaxvision"].append(trainer.epoch())
        if peer is not None and peer.stdin is not None and peer.stdout is not None:
            peer.stdin.write(f"{turn}\n")
            found["gensim"].append(tuple(json.loads(peer.stdout.readline())))
    if peer is not None and peer.stdin is not None:
        peer.stdin.close()
        peer.wait()
    result: dict[str, object] = {"words": trainer.words, "cores": jax.local_device_count()}
    for name, turns in found.items():
        if turns:
            wall, spent = (statistics.median(column) for column in zip(*turns, strict=True))
            result[name] = {"words/s": round(wall), "words/s of a processor": round(spent)}
    if found["gensim"]:
        ratio = np.median(
            [ours / theirs for (ours, _), (theirs, _) in zip(*found.values(), strict=True)]
        )
        cpu = np.median(
            [ours / theirs for (_, ours), (_, theirs) in zip(*found.values(), strict=True)]
        )
        result["ratio"] = {
            "words/s": round(float(ratio), 2),
            "of a processor": round(float(cpu), 2),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
