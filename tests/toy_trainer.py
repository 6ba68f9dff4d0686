"""Runs jobs one after another in each of several processes; prints what they found as JSON."""

import json
import pathlib
import sys

import jax
import numpy as np

from jaxvision.cli.connect import Processes, connect
from jaxvision.models.sequence.transformer import VARIANTS
from jaxvision.recipes import classification, detection, translation
from jaxvision.train import loop, sharding
from jaxvision.train.evaluate import compile_predict, evaluate
from jaxvision.train.processes import one_speaks
from jaxvision.train.record import Record
from jaxvision.train.state import state_shapes

VARIANTS["transformer_toy"] = dict(features=32, hidden=64, num_heads=4, num_layers=(1, 1))


def experiment(task, data, **changes):
    """Twenty steps of a tiny network, with an average and an evaluation whose end is padded."""
    recipe = {"detection": detection, "classification": classification, "translation": translation}
    config = recipe[task].defaults()
    config.update(epochs=5, num_workers=1, log_every=1, save_every=10, eval_every=1000)
    config.update(changes)
    config.ema.update(decay=0.9, warmup=0.0)
    if task == "detection":
        config.update(variant="yolox_nano", image_size=64, batch_size=8)
        config.optimizer.clip_norm = 1.0  # it is 450 at first, with maps of a few pixels
        config.data.update(source="shapes", train_images=32, val_images=10)
    elif task == "classification":
        config.update(variant="resnet20_cifar", image_size=32, batch_size=8)
        config.data.update(source="digits", train_images=32, val_images=10)
        config.augment.update(crop="pad", mixup=0.2, cutmix=0.5)
    if task != "translation":
        # Long steps, and Adam's, make differences of rounding grow, also between devices of one
        # process: a ReLU or an assignment that turns over changes the gradient by a jump.
        config.optimizer.update(name="momentum", learning_rate=1e-4, base_batch=0)
    else:
        config.update(variant="transformer_toy", batch_tokens=256)
        config.data.update(path=data, vocabulary_size=300, max_length=16, buckets=2)
        config.eval.update(batch_size=8, beam_size=2, extra_length=4)
    return recipe[task].experiment(config)


def write_text(folder):
    """Writes parallel text that is translated word by word."""
    rng = np.random.default_rng(0)
    words = {"en": ["a", "man", "sees", "the", "red", "dog", "and", "one", "cat", "runs"]}
    words["de"] = ["ein", "Mann", "sieht", "den", "roten", "Hund", "und", "eine", "Katze", "rennt"]
    for split, count in (("train", 80), ("val", 10)):
        chosen = [rng.integers(0, 10, rng.integers(2, 7)) for _ in range(count)]
        for language, known in words.items():
            lines = [" ".join(known[i] for i in sentence) for sentence in chosen]
            (folder / f"{split}.{language}").write_text("\n".join(lines) + "\n")


def train(task, data, workdir, **changes):
    """Trains to the end, from what is in a folder; returns the outcome."""
    found = loop.run(experiment(task, data, **changes), pathlib.Path(workdir))
    return [found.outcome.value, int(found.state.step)]


def measure(task, data, workdir):
    """Evaluates the newest checkpoint of a folder with the devices of all processes."""
    wanted, mesh = experiment(task, data), sharding.data_mesh()
    wanted = wanted.share(jax.process_index(), sharding.num_processes(mesh))
    batch = next(wanted.train_data.batches(0))
    shapes = sharding.batch_shapes(batch, mesh, wanted.train_data.axis)
    record = Record(wanted, pathlib.Path(workdir))
    state = record.restore(state_shapes(wanted, shapes, mesh))
    record.close()
    assert state is not None
    data = wanted.eval_data["val"].data
    predict = compile_predict(wanted.task, mesh)
    options = dict(seed=wanted.seed, axis=data.axis)
    return evaluate(wanted.task, predict, state.evaluated, data, mesh, **options).metrics


def main(jobs, *flags):
    if flags:
        given = dict(flag.removeprefix("--").split("=") for flag in flags)
        numbers = {name: int(given[name]) for name in ("num_processes", "process_id")}
        connect(Processes(given["coordinator"], **numbers))
    calls = {"train": train, "measure": measure}
    with one_speaks():
        return [calls[name](*arguments, **options) for name, arguments, options in jobs]


if __name__ == "__main__":
    found = main(json.loads(pathlib.Path(sys.argv[1]).read_text()), *sys.argv[2:])
    print(json.dumps(found), flush=True)
