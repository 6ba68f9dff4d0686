"""Every value of every recipe is checked: an odd one is an error of one line, or has a meaning.

What a value means is seen up to the first batches of training and evaluation; nothing is compiled.
"""

import contextlib
import io
import math
import pathlib
import resource
import signal

import jax
import pytest
from ml_collections import ConfigDict

from jaxvision.cli.config_file import parse
from jaxvision.train.errors import TrainingError
from jaxvision.train.workdir import flatten

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
FEW = dict(batch_size=4, num_workers=0, **{"data.train_images": 12, "data.val_images": 5})
SUPER = FEW | {"data.patches": 2, "data.val_images": 2}
# The config and argument of each recipe, and values that make it small.
SMALL = {
    "classification": ("lenet_mnist.py:modern,digits", FEW),
    "detection": ("yolox.py:nano,shapes", FEW | dict(image_size=64)),
    "two_stage": ("faster_rcnn.py:tiny", FEW | dict(image_size=64)),
    "anchors": ("yolov5.py:n", FEW | dict(image_size=64)),
    "translation": (
        "transformer_multi30k.py:tiny",
        {"data.vocabulary_size": 300, "data.path": "."},
    ),
    "diffusion": ("ddpm.py:small,digits", FEW),
    "adversarial": ("dcgan.py:small,digits", FEW),
    "few_shot": (
        "protonet.py",
        {"num_workers": 0, "data.train_characters": 8, "eval.episodes": 2, "episode.steps": 2},
    ),
    "super_resolution": ("srcnn.py", SUPER),
    "adversarial_super_resolution": ("srgan.py", SUPER),
    "diffusion_super_resolution": ("sr3.py", SUPER),
    "zero_shot": ("zssr.py", dict(num_workers=0)),
    "language_modelling": ("lstm.py", {"data.sentences": 800, "batch_size": 4}),
    "word_embedding": ("word2vec.py", {"num_workers": 0, "data.sentences": 100, "batch_size": 4}),
    "node_embedding": ("node2vec.py", {"num_workers": 0, "data.nodes": 100, "batch_size": 4}),
    "node_classification": ("gcn.py", {"data.nodes": 100}),
    "text_classification": ("text_classifier.py", {"data.texts": 80, "batch_size": 4}),
    "segmentation": ("unet.py:small,shapes", FEW | dict(image_size=(32, 32))),
}
NUMBERS = ("0", "-1", "2", "0.5", "nan", "inf", "1000000000", "1e-9")
ODD = (*NUMBERS, "", "text", "(1,2,3,4,5)", "('a',)")
# What no option that is a number can be, though text may.
NONSENSE = ("-1", "nan", "inf")
# Values that may be negative.
ANY_NUMBER = ("mean", "eval.border")
SECONDS = 10


class TookTooLong(BaseException):
    """Not an Exception, so that nothing in between takes it for its own."""


@pytest.fixture
def sentences(tmp_path, monkeypatch):
    """Makes the folder of the translator's sentences the current one."""
    for split in ("train", "val"):
        for language, words in (("en", "one dog runs"), ("de", "ein Hund rennt")):
            lines = [f"{words} {number}" for number in range(40)]
            (tmp_path / f"{split}.{language}").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bounded():
    """Ends what takes more than ten seconds of processor time, or more than 8 GiB of memory."""

    def end(number, frame):
        raise TookTooLong

    handler = signal.signal(signal.SIGPROF, end)
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (8 << 30, limits[1]))
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, handler)
    resource.setrlimit(resource.RLIMIT_DATA, limits)


def flags_of(recipe, **changes):
    file, small = SMALL[recipe]
    values = [f"--config.{name}={value}" for name, value in (small | changes).items()]
    return ["train", f"--config={CONFIGS / file}", *values]


def outcome(recipe, name, value, seconds=SECONDS):
    """Returns the message of the error that a value is, or "" where it has a meaning."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        command = parse(flags_of(recipe, **{name: value}), "")
        with contextlib.redirect_stdout(io.StringIO()):
            experiment = command.recipe.experiment(command.config)
        evaluated = [each.data for each in experiment.eval_data.values()]
        for stream in (experiment.train_data, *evaluated[:1]):
            batches = stream.batches()
            next(batches)
            batches.close()
        last = experiment.total_steps - 1
        for step in (0, last // 2, last):
            assert 0 <= float(experiment.learning_rate(step)) < math.inf
            if experiment.ema is not None:
                assert 0 <= float(experiment.ema(jax.numpy.asarray(step + 1))) <= 1
    except (ValueError, OSError, ImportError, TrainingError) as error:
        return str(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return ""


def names_of(recipe):
    """Names of all values, and whether each is text."""
    config = parse(flags_of(recipe), "").config
    values = flatten(config.to_dict())
    return {
        name: isinstance(value, str)
        for name, value in values.items()
        if not isinstance(value, dict | ConfigDict)
    }


@pytest.mark.parametrize(
    ("recipe", "odd"),
    [
        ("classification", ("-1", "nan", "1000000000")),
        *(pytest.param(recipe, ODD, marks=pytest.mark.slow) for recipe in SMALL),
    ],
)
def test_odd_values_are_errors_of_one_line_or_have_a_meaning(recipe, odd, bounded, sentences):
    # The first one imports what all need.
    assert outcome(recipe, "seed", 1, seconds=0) == ""
    wrong = []
    for name, is_text in names_of(recipe).items():
        for value in odd:
            try:
                message = outcome(recipe, name, value)
            except BaseException as error:
                wrong.append(f"--config.{name}={value}: {error!r}")
                continue
            if value in NONSENSE and not (message or is_text or name in ANY_NUMBER):
                wrong.append(f"--config.{name}={value} is taken")
            if len(message.splitlines()) > 2:
                wrong.append(f"--config.{name}={value}: {message}")
    assert not wrong, "\n".join(wrong)
