"""Loads a trained run, whatever its task."""

import contextlib
import functools
import importlib
import os
import pathlib
import pkgutil
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax

from jaxvision import recipes
from jaxvision.inference import exported
from jaxvision.inference.classifier import Classifier
from jaxvision.inference.clip_classifier import ClipClassifier
from jaxvision.inference.detector import Detector
from jaxvision.inference.export import weights
from jaxvision.inference.few_shot import FewShotClassifier
from jaxvision.inference.node_classifier import NodeClassifier
from jaxvision.inference.predictor import Origin, Predictor
from jaxvision.inference.sampler import Sampler
from jaxvision.inference.segmenter import Segmenter
from jaxvision.inference.text_classifier import TextClassifier
from jaxvision.inference.text_generator import TextGenerator
from jaxvision.inference.translator import Translator
from jaxvision.inference.upscaler import Upscaler
from jaxvision.inference.word_vectors import WordVectors
from jaxvision.inference.zero_shot import ZeroShotUpscaler
from jaxvision.pretrained import hub
from jaxvision.recipes import values
from jaxvision.recipes.classification import clip_frames
from jaxvision.tasks.adversarial import AdversarialGeneration
from jaxvision.tasks.adversarial_super_resolution import (
    GENERATOR,
    AdversarialSuperResolution,
    params_of,
)
from jaxvision.tasks.classification import ImageClassification
from jaxvision.tasks.dense_detection import DenseDetection
from jaxvision.tasks.diffusion import ImageDiffusion
from jaxvision.tasks.few_shot import FewShot
from jaxvision.tasks.language_modelling import LanguageModelling
from jaxvision.tasks.node_classification import NodeClassification
from jaxvision.tasks.segmentation import SemanticSegmentation
from jaxvision.tasks.super_resolution import SuperResolution
from jaxvision.tasks.text_classification import TextClassification
from jaxvision.tasks.translation import Translation
from jaxvision.tasks.word_embedding import WordEmbedding
from jaxvision.tasks.zero_shot import ZeroShot
from jaxvision.train.package import is_package, read_arrays, read_package, read_package_meta
from jaxvision.train.saved import read_checkpoint, read_meta

# What building a model of a config may raise: in a file from elsewhere it may be any JSON.
_FAULTS = (AttributeError, LookupError, TypeError, ArithmeticError, RecursionError, MemoryError)
# Images that are embedded at a time, where the run does not say it.
_EMBEDDED = 64
# Endings of files that `jaxvision export` writes and `load` reads.
FILES = (exported.SUFFIX, ".safetensors")


def load(
    run: str | os.PathLike[str],
    *,
    step: int | None = None,
    recipe: types.ModuleType | None = None,
) -> Predictor:
    """Loads a run, also one that was interrupted or is still going on.

    Only the checkpoint is read: neither the training data nor the config file has to be there.

    Args:
        run: Work directory of the run, the folder of one of its checkpoints, what
            `jaxvision push` wrote or uploaded, as `hf://owner/name`, or a file that
            `jaxvision export` wrote, `.onnx` or `.safetensors`.
        step: Which checkpoint; by default the one with the best metric, or the newest where none
            was evaluated.
        recipe: Module of the recipe that trained it, if that is not in `jaxvision.recipes`. A name
            in a checkpoint never decides which other code is imported.

    Returns:
        A `Detector`, `Classifier`, `ClipClassifier`, `Segmenter`, `Upscaler`, `Translator`,
        `Sampler`, `NodeClassifier`, `FewShotClassifier`, `WordVectors`, `TextGenerator` or
        `TextClassifier`, by the task.

    Raises:
        FileNotFoundError: If the folder holds no checkpoints.
        ValueError: If there is no checkpoint of that step, it is damaged or of another version of
            jaxvision, or its recipe is not known.
    """
    if hub.is_hub(str(run)):
        run = hub.fetch(str(run))
    path = pathlib.Path(run).expanduser()
    if path.suffix in FILES:
        if step is not None:
            raise ValueError(f"step is for runs, got the file {path}")
        with _described(path):
            return _of_file(path, recipe)
    if is_package(path):
        folder = path
        step, meta = read_package_meta(folder)
        read_variables = read_package
    else:
        folder, step = run_folder(pathlib.Path(run), step)
        step, meta = read_meta(folder, step)
        read_variables = functools.partial(read_checkpoint, step=step)
    task, origin = _restored(folder, meta, step, recipe)
    make = _maker(task)
    variables, _ = read_variables(folder)
    if is_package(path):
        with _described(path):
            return _fitting(make(task, variables, origin), path)
    return make(task, variables, origin)


def _of_file(file: pathlib.Path, recipe: types.ModuleType | None) -> Predictor:
    """Loads a file that `jaxvision export` wrote."""
    if file.suffix == exported.SUFFIX:
        step, meta = exported.read_onnx_meta(file)
        task, origin = _restored(file, meta, step, recipe)
        config = origin.config
        if not hasattr(origin.recipe, "eval_transform"):
            raise ValueError(
                f"{file} reads no pictures: run it by onnxruntime, or load its run here"
            )
        transform = origin.recipe.eval_transform(config)
        return exported.exported_predictor(file, meta, task, transform, _rows(config), origin)
    step, meta = weights.read_weights_meta(file)
    task, origin = _restored(file, meta, step, recipe)
    return _fitting(_maker(task)(task, read_arrays(file), origin), file)


@contextlib.contextmanager
def _described(place: pathlib.Path) -> Iterator[None]:
    """Makes one error of what a config that is none leads to."""
    try:
        yield
    except _FAULTS as error:
        raise ValueError(f"{place} does not describe a model: {_line(error)}") from error


def _fitting(predictor: Predictor, place: pathlib.Path) -> Predictor:
    """Traces what a predictor of a file computes, so that weights of another model are an error."""
    program = predictor.program()
    try:
        jax.eval_shape(program.apply, predictor.variables, *program.inputs(1))
    # Flax, JAX and tasks have errors of their own for a shape or a name that is not theirs.
    except Exception as error:
        raise ValueError(f"{place}: its weights are not those of its config: {_line(error)}") from (
            error
        )
    return predictor


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].strip("\"'")[:200]


def _restored(
    place: pathlib.Path, meta: Mapping[str, Any], step: int, recipe: types.ModuleType | None
) -> tuple[Any, Origin]:
    """Builds the task of a checkpoint or a file from its meta."""
    missing = [name for name in ("recipe", "config", "info") if name not in meta]
    if missing:
        raise ValueError(
            f"{place} was not trained by a recipe: its checkpoints hold no {', '.join(missing)}"
        )
    module = _recipe(place, meta["recipe"], recipe)
    try:
        config = values.restored(meta["config"])
        task = module.task(config, meta["info"])
    except _FAULTS as error:
        raise ValueError(
            f"{place} was trained by another version of the recipe {meta['recipe']}: {_line(error)}"
        ) from error
    return task, Origin(module, config, meta["info"], step)


def run_folder(run: pathlib.Path, step: int | None) -> tuple[pathlib.Path, int | None]:
    """Returns the work directory, and the step if a checkpoint's own folder was given."""
    run = run.expanduser()
    if not run.is_dir():
        found = "a file" if run.exists() else "nothing there"
        raise FileNotFoundError(f"expected the work directory of a run, got {run}, {found}")
    if run.name == "checkpoints":
        return run.parent, step
    if run.parent.name == "checkpoints" and run.name.isdigit():
        if step not in (None, int(run.name)):
            raise ValueError(f"step must be that of {run} or None, got {step}")
        return run.parent.parent, int(run.name)
    return run, step


def _recipe(folder: pathlib.Path, name: str, given: types.ModuleType | None) -> types.ModuleType:
    if given is not None:
        own = given.__name__.rpartition(".")[2]
        if own != name:
            raise ValueError(f"{folder} was trained by the recipe {name}, got recipe={own}")
        return given
    known = [module.name for module in pkgutil.iter_modules(recipes.__path__)]
    if name in known:
        module = importlib.import_module(f"{recipes.__name__}.{name}")
        if hasattr(module, "task"):
            return module
    raise ValueError(
        f"{folder} was trained by the recipe {name!r}, which is not in jaxvision.recipes; give its "
        "module as recipe="
    )


def _maker(task: Any) -> Any:
    makers = {
        AdversarialGeneration: _sampler,
        DenseDetection: _detector,
        FewShot: _few_shot,
        ImageClassification: _classifier,
        NodeClassification: _of_graphs,
        ImageDiffusion: _sampler,
        SemanticSegmentation: functools.partial(_of_images, Segmenter),
        SuperResolution: _upscaler,
        LanguageModelling: _text_generator,
        TextClassification: _text_classifier,
        Translation: _translator,
        WordEmbedding: _word_vectors,
    }
    for kind, make in makers.items():
        if isinstance(task, kind):
            return make
    known = ", ".join(kind.__name__ for kind in makers)
    raise ValueError(f"task must be one of {known}, got {type(task).__name__}")


def _of_images(
    kind: Callable[..., Predictor],
    task: Any,
    variables: Mapping[str, Any],
    origin: Origin,
) -> Predictor:
    config = origin.config
    return kind(
        task,
        variables,
        origin.recipe.eval_transform(config),
        batch_size=_rows(config),
        origin=origin,
    )


def _classifier(
    task: ImageClassification, variables: Mapping[str, Any], origin: Origin
) -> Predictor:
    frames = clip_frames(origin.config)
    kind = functools.partial(ClipClassifier, frames=frames) if frames else Classifier
    return _of_images(kind, task, variables, origin)


def _few_shot(task: FewShot, variables: Mapping[str, Any], origin: Origin) -> Predictor:
    # The run's batches count episodes.
    rows = origin.config.eval.batch_size or _EMBEDDED
    transform = origin.recipe.eval_transform(origin.config)
    return FewShotClassifier(task, variables, transform, batch_size=rows, origin=origin)


def _rows(config: Any) -> int:
    return config.eval.batch_size or config.batch_size


def _detector(task: DenseDetection, variables: Mapping[str, Any], origin: Origin) -> Predictor:
    max_proposals = origin.config.data.get("max_proposals", 0)
    make = functools.partial(Detector, max_proposals=max_proposals)
    return _of_images(make, task, variables, origin)


def _of_graphs(task: Any, variables: Mapping[str, Any], origin: Origin) -> NodeClassifier:
    return NodeClassifier(task, variables, origin=origin)


def _upscaler(task: SuperResolution, variables: Mapping[str, Any], origin: Origin) -> Predictor:
    windows = origin.recipe.eval_transform(origin.config)
    if isinstance(task, AdversarialSuperResolution):
        # A file that was exported holds the generator alone.
        if GENERATOR in variables["params"]:
            state = {name: tree for name, tree in variables.items() if name != "params"}
            variables = params_of(variables["params"], state, GENERATOR)
        task = task.generator()
    if isinstance(task, ZeroShot):
        return ZeroShotUpscaler(task, variables, windows, origin=origin)
    return Upscaler(task, variables, windows, origin=origin)


def _word_vectors(task: Any, variables: Mapping[str, Any], origin: Origin) -> WordVectors:
    return WordVectors(task, variables, origin=origin)


def _text_generator(task: Any, variables: Mapping[str, Any], origin: Origin) -> TextGenerator:
    return TextGenerator(task, variables, origin=origin)


def _text_classifier(task: Any, variables: Mapping[str, Any], origin: Origin) -> TextClassifier:
    return TextClassifier(task, variables, batch_size=_rows(origin.config), origin=origin)


def _translator(task: Translation, variables: Mapping[str, Any], origin: Origin) -> Translator:
    config = origin.config
    return Translator(
        task,
        variables,
        max_length=config.data.max_length,
        batch_size=config.eval.batch_size,
        origin=origin,
    )


def _sampler(task: Any, variables: Mapping[str, Any], origin: Origin) -> Sampler:
    return Sampler(task, variables, batch_size=_rows(origin.config), origin=origin)
