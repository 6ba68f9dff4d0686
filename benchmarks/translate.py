"""Seconds to translate 1,000 sentences on this machine, by greedy search and by a beam of 5.

    python benchmarks/translate.py --path=DIR                 # random parameters
    python benchmarks/translate.py --path=DIR --workdir=RUN   # trained ones

DIR holds a parallel text such as Multi30k's `train.en.gz`, `test_2016_flickr.en.gz` and so on, of
which source sentences are translated. Random parameters would never end a sentence: there the end
is the likeliest token as soon as a translation is four tokens longer than its source. Compiling is
not in the times. The last line is of sentences that come alone, as from a keyboard.
"""

import argparse
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.text.parallel import read_parallel
from jaxvision.data.text.tokenizer import END, SubwordTokenizer
from jaxvision.inference.load import load
from jaxvision.inference.translator import Translator
from jaxvision.models.sequence.stack import Cache
from jaxvision.models.sequence.transformer import VARIANTS, Memory, Transformer
from jaxvision.tasks.translation import Translation
from jaxvision.train.precision import compute_dtype

# Tokens that a translation has more than its source, where parameters are random.
EXTRA = 4
ALONE = 20


class EndingTransformer(Transformer):
    """Ends each translation at a length that its source gives."""

    def step(
        self, tokens: jax.Array, position: jax.Array, memory: Memory, cache: Cache
    ) -> tuple[jax.Array, Cache]:
        """Decodes one token a sequence, as `Transformer.step` does."""
        logits, cache = super().step(tokens, position, memory, cache)
        source = (memory.segments != 0).sum(axis=1)
        lengths = jnp.repeat(source + EXTRA, len(tokens) // len(source))
        ends = jnp.arange(logits.shape[1]) == END
        now = (position + 1 >= lengths)[:, None]
        return jnp.where(ends[None], jnp.where(now, 1e3, -1e3), logits), cache


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--path", required=True, help="folder of the parallel text")
    parser.add_argument("--workdir", help="a run of configs/transformer_multi30k.py")
    parser.add_argument("--split", default="test_2016_flickr", help="what is translated")
    parser.add_argument("--variant", default="tiny", help="of random parameters: tiny, base, big")
    parser.add_argument("--vocabulary-size", type=int, default=10_000)
    parser.add_argument("--source", default="en", help="language to translate from")
    parser.add_argument("--target", default="de", help="language to translate to")
    parser.add_argument("--sentences", type=int, default=1000, help="at most so many")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5])
    return parser.parse_args()


def random_task(options: argparse.Namespace) -> tuple[Translation, dict]:
    """Returns a fresh network with its tokenizer, and parameters."""
    languages = dict(source=options.source, target=options.target)
    train = read_parallel(options.path, "train", **languages)
    tokenizer = SubwordTokenizer.train([*train.source, *train.target], options.vocabulary_size)
    model = EndingTransformer(
        vocabulary_size=tokenizer.vocabulary_size,
        dtype=compute_dtype("auto"),
        **VARIANTS[f"transformer_{options.variant}"],
    )
    task = Translation(model, tokenizer)
    tokens = np.zeros((1, 4), np.int32)
    params, _ = jax.jit(task.init)(jax.random.key(0), {"source": tokens, "target": tokens})
    return task, params


def translator(options: argparse.Namespace, beam_size: int) -> Translator:
    """Reads a run's translator, or makes one."""
    if options.workdir:
        found = load(options.workdir)
        if not isinstance(found, Translator):
            raise ValueError(f"--workdir must be a run of a translator, got {options.workdir}")
        return found.replaced(beam_size=beam_size, batch_size=options.batch_size)
    task, params = random_task(options)
    task = Translation(task.model, task.tokenizer, beam_size=beam_size)
    return Translator(task, {"params": params}, batch_size=options.batch_size)


def main() -> None:
    """Measures and prints."""
    options = parse()
    text = read_parallel(options.path, options.split, source=options.source, target=options.target)
    sentences = text.source[: options.sentences]
    name = pathlib.Path(options.workdir).name if options.workdir else f"random {options.variant}"
    device = jax.local_devices()[0].device_kind
    print(f"{name}, {len(sentences)} sentences of {options.split}, on {device}")
    for beam_size in options.beams:
        translate = translator(options, beam_size)
        seconds = []
        # The first time compiles.
        for _ in range(2):
            started = time.perf_counter()
            translate(sentences)
            seconds.append(time.perf_counter() - started)
        print(
            f"beam {beam_size}: {seconds[1]:.1f} s, {len(sentences) / seconds[1]:.0f} sentences/s, "
            f"compiling took {seconds[0] - seconds[1]:.1f} s",
            flush=True,
        )
        alone = sentences[:ALONE]
        for sentence in alone:
            translate([sentence])
        started = time.perf_counter()
        for sentence in alone:
            translate([sentence])
        print(f"        alone: {(time.perf_counter() - started) / len(alone):.3f} s a sentence")


if __name__ == "__main__":
    main()
