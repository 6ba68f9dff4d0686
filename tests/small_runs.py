"""Training commands of the documentation made small, and the runs that its other commands name."""

import contextlib
import dataclasses
import pathlib
import re

import jax
import small_data

from jaxvision.cli.config_file import parse
from jaxvision.cli.config_names import config_names
from jaxvision.train import loop

# Runs that are not called as their command calls them by itself, each with its flags.
NAMED = {
    "blood": ["--config=yolox:tiny,voc", "--config.data.train=trainval", "--config.data.val=test"],
    "short": ["--config=yolox"],
    "teacher": ["--config=lenet_mnist:original"],
    "word2vec": ["--config=word2vec:text"],
}
# A multiple of the devices that tests have.
BATCH = 8
# Side of the images of a run, where the config of its recipe has one for larger data.
SIDES = {"classification": 64, "detection": 64}
# Networks of runs that others would take long to sample from.
NETWORKS = {"diffusion": dict(variant="ddpm_tiny", image_size=(16, 16))}
SMALL = {
    "diffusion": dict(eval=dict(samples=BATCH, images=BATCH), sample=dict(steps=2)),
    "adversarial": dict(eval=dict(samples=BATCH, images=BATCH)),
    "few_shot": dict(eval=dict(episodes=BATCH)),
    "language_modelling": dict(batch_size=BATCH, eval=dict(batch_size=BATCH)),
    "text_classification": dict(batch_size=BATCH),
    "translation": dict(data=dict(vocabulary_size=300, max_length=32)),
    # A network is trained for each picture that is predicted.
    "zero_shot": dict(epochs=2),
    "word_embedding": dict(batch_size=BATCH, block=8),
    "node_embedding": dict(batch_size=BATCH, block=8, walk=dict(count=1, length=20)),
}


@contextlib.contextmanager
def compiled_quickly():
    """Compiles quickly, not well."""
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", False)


def ctrl_c(*arguments):
    """Stands for a server that is ended at once."""
    raise KeyboardInterrupt


def updated(config, changes):
    """Replaces the values of a config that it has."""
    for name, value in changes.items():
        if isinstance(value, dict):
            updated(config[name], value)
        elif name in config:
            config[name] = value


def recipe_of(command):
    """Returns the name of a command's recipe."""
    return command.recipe.__name__.rpartition(".")[2]


def small(command):
    """Returns the config of a training command, made small, and writes the data that it names."""
    config, name = command.config.copy_and_resolve_references(), recipe_of(command)
    data, source = config.data, config.data.source
    config.update(weights="", num_workers=0)
    config.schedule.warmup_steps = min(config.schedule.warmup_steps, 2)
    if source in small_data.DRAWN and "image_size" in config:
        updated(data, dict(train_images=16, val_images=16, train_characters=40, val_characters=20))
    updated(config, SMALL.get(name, {}))
    if "image_size" in config and name != "few_shot":
        config.batch_size = BATCH
    if "vgg" in config.get("loss", {}):
        config.loss.vgg = ""
    if not data.path and source not in small_data.DRAWN and source != "folder":
        data.path = "DIR"
    splits = [data[part] for part in ("train", "val", "test") if data.get(part)]
    if data.get("path"):
        small_data.write(name, source, pathlib.Path(data.path), splits)
    for folder in filter(None, data.get("eval", "").split(",")):
        small_data.write(name, source, pathlib.Path(folder), [""])
    return config


def command_of(name):
    """Returns the training command whose run has a name, as `jaxvision train` names it."""
    if name in NAMED:
        flags = NAMED[name]
    else:
        config = max((x for x in config_names() if f"{name}_".startswith(f"{x}_")), key=len)
        argument = name.removeprefix(config).strip("_").replace("_", ",")
        flags = [f"--config={config}:{argument}"]
    command = parse(["jaxvision train", *flags], "")
    if command.config.data.source not in small_data.DRAWN:
        command.config.data.path = "DIR"
    return command


def train(name, folder):
    """Trains the run of a name for a step, on data in the current folder."""
    command = command_of(name)
    config, recipe = small(command), recipe_of(command)
    updated(config, NETWORKS.get(recipe, {}))
    side = SIDES.get(recipe)
    if side and isinstance(config.image_size, int):
        config.image_size = min(config.image_size, side)
    experiment = command.recipe.experiment(config)
    loop.run(dataclasses.replace(experiment, total_steps=1), folder)


def named(text):
    """Returns the names of the runs that a command reads."""
    return list(dict.fromkeys(re.findall(r"runs/(\w+)", text)))
