"""A translator of six sentences that it knows by heart, and the work directory of its run."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxvision import models
from jaxvision.data.text.parallel import ParallelText
from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.data.translation import train_stream
from jaxvision.models.sequence.transformer import VARIANTS
from jaxvision.recipes import translation, wiring
from jaxvision.tasks.translation import Translation
from jaxvision.train.checkpoint import Checkpoints
from jaxvision.train.experiment import Best
from jaxvision.train.state import Average, TrainState
from jaxvision.train.step import make_step

ENGLISH = ["one dog", "two dogs run", "a cat", "the cat sleeps", "a man", "one man and a dog"]
GERMAN = ["ein Hund", "zwei Hunde rennen", "eine Katze", "die Katze schläft", "ein Mann"]
GERMAN += ["ein Mann und ein Hund"]

TOY = dict(features=32, hidden=64, num_heads=4, num_layers=(1, 2), dropout_rate=0.0)
LENGTH = 20


def config(**search):
    """Returns the values of the toy's run; keywords are of the group `eval`."""
    values = translation.defaults()
    values.variant = "transformer_toy"
    values.data.max_length = LENGTH
    values.model.update({name: 0.0 for name in values.model if "dropout" in name})
    values.eval.update({"beam_size": 3, "extra_length": 6, **search})
    return values


@contextlib.contextmanager
def prepared():
    """Lets a config name the toy's variant, and compiles quickly: all of it runs milliseconds."""
    options = {"xla_backend_optimization_level": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VARIANTS, "transformer_toy", TOY)
        patch.setattr(jax, "jit", functools.partial(jax.jit, compiler_options=options))
        yield


@functools.cache
def trained() -> tuple[Translation, dict]:
    """Returns the task and what it has learned."""
    tokenizer = SubwordTokenizer.train(ENGLISH + GERMAN, 320)
    model = models.transformer("tiny", vocabulary_size=tokenizer.vocabulary_size, **TOY)
    task = Translation(model, tokenizer, beam_size=3, extra_length=6)
    text = ParallelText(ENGLISH, GERMAN, str)
    batch = next(train_stream(text, tokenizer, batch_tokens=256, buckets=1).batches(0))
    params, _ = jax.jit(task.init)(jax.random.key(0), batch)
    optimizer = optax.adam(3e-3)
    state = TrainState(jnp.zeros((), jnp.int32), params, {}, optimizer.init(params), None)
    step = jax.jit(make_step(task, optimizer, None))
    for _ in range(150):
        state, _ = step(state, batch, jax.random.key(1))
    return task, jax.device_get(state.params)


def write_run(folder, *, values=None, tokenizer=None, steps=(1, 2)):
    """Writes a work directory: the parameters' average is what was learned, at the last step."""
    task, params = trained()
    info = {"tokenizer": (tokenizer or task.tokenizer).json()}
    meta = wiring.meta(translation.__name__, values or config(), info)
    checkpoints = Checkpoints(folder / "checkpoints", meta=meta, best=Best("val/bleu"), keep=9)
    nothing = jax.tree.map(np.zeros_like, params)
    for step in steps:
        average = Average(params if step == max(steps) else nothing, {})
        state = TrainState(np.asarray(step, np.int32), nothing, {}, (), average)
        checkpoints.save(state, {"val/bleu": float(step)})
    checkpoints.close()
    return folder
