"""From the values that every recipe has to the parts of an experiment."""

import functools
import importlib.metadata
import json
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from jaxvision import models
from jaxvision.data import errors
from jaxvision.data.errors import OnFault
from jaxvision.models.detection.retinanet import IMAGE_MEAN, IMAGE_STD
from jaxvision.ops import ranges
from jaxvision.recipes import weights
from jaxvision.recipes.values import Config
from jaxvision.train import optim, schedules, wandb_writer
from jaxvision.train.ema import constant_decay, tail_average, warmup_decay
from jaxvision.train.experiment import InitFrom
from jaxvision.train.plateau import Plateau
from jaxvision.train.precision import compute_dtype
from jaxvision.train.sharding import state_sharding

# A step is a 32-bit integer on the device.
_MOST_STEPS = 2**31 - 1

_PACKAGES = ("jax", "flax", "optax")


def on_fault(config: Config, name: str) -> OnFault:
    """Turns a value of the group `data`, `error` or `drop`, into what happens to faulty examples.

    Args:
        config: The values.
        name: Name of the value, without `data.`.

    Raises:
        ValueError: If it is neither.
    """
    rule = config.data[name]
    if rule not in errors.RULES:
        raise ValueError(f"data.{name} must be {' or '.join(errors.RULES)}, got {rule}")
    return errors.on_fault(rule)


def class_names(config: Config) -> tuple[str, ...] | None:
    """Returns the names in `data.classes`; None where the data's own are to be used."""
    return tuple(config.data.classes.split(",")) if config.data.classes else None


def keywords(group: Config, *without: str) -> dict[str, Any]:
    """Returns a group's values by name, as the arguments of a function.

    Args:
        group: A group of the config; one from a checkpoint has lists in place of tuples.
        *without: Names of values that are left out.
    """
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in group.items()
        if name not in without
    }


def network(build: Callable[..., Any], config: Config, **fields: Any) -> Any:
    """Builds the variant of a config.

    Args:
        build: Maps (variant, fields) to a network.
        config: The values; those of its group `model` replace `fields`.
        **fields: Fields of the network.

    Raises:
        ValueError: If the network has no such field, or a dropout rate is out of its range.
    """
    ranges.check(config, "[0, 1)", *(f"model.{name}" for name in config.model if "drop" in name))
    fields |= keywords(config.model)
    try:
        return build(config.variant, **fields)
    except TypeError as error:
        raise ValueError(
            f"model: {config.variant} does not have all of the fields {', '.join(fields)}: {error}"
        ) from error


def fields(config: Config, info: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields that every detector takes: classes, dtype and perhaps a backbone."""
    dtype = compute_dtype(config.dtype)
    found: dict[str, Any] = dict(num_classes=len(info["class_names"]), dtype=dtype)
    if config.backbone:
        found["backbone"] = models.backbone(config.backbone, dtype=dtype)
    return found


def normalised_fields(config: Config, info: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a network whose own backbone takes pixels, another normalised ones."""
    found = fields(config, info)
    if config.backbone:
        found |= dict(image_mean=IMAGE_MEAN, image_std=IMAGE_STD)
    return found


def total_steps(config: Config, epoch: int) -> int:
    """Returns the length of the run.

    Args:
        config: The values.
        epoch: Steps in an epoch.

    Raises:
        ValueError: If `epochs` is not positive.
    """
    ranges.check(config, "[1, inf)", "epochs")
    steps = config.epochs * epoch
    if steps > _MOST_STEPS:
        raise ValueError(
            f"epochs must be at most {_MOST_STEPS // epoch:,} of {epoch:,} steps each, which are "
            f"counted up to {_MOST_STEPS:,}; got {config.epochs:,}"
        )
    return steps


def learning_rate(
    config: Config,
    *,
    epoch: int,
    batch_size: int = 0,
    features: int = 0,
    final_steps: int = 0,
) -> optax.Schedule:
    """Builds the learning rate of the groups `optimizer` and `schedule`.

    Args:
        config: The values.
        epoch: Steps in an epoch.
        batch_size: What `optimizer.base_batch` refers to.
        features: Channels of a Transformer, for `noam`.
        final_steps: Steps at the lowest rate, for `yolox`.

    Raises:
        ValueError: If a number is out of its range, or there is no such schedule.
    """
    values = config.schedule
    steps = total_steps(config, epoch)
    warmup_steps = _warmup_steps(config, steps, epoch)
    peak = config.optimizer.learning_rate
    ranges.check(config, "[0, inf)", "optimizer.learning_rate", "optimizer.base_batch")
    ranges.check(config, "(0, 1)", "schedule.boundaries")
    ranges.check(config, "[0, inf)", "schedule.factor", "schedule.power")
    ranges.check(config, "(0, inf)", "schedule.period_epochs")
    ranges.check(config, "[0, inf)", "schedule.hold_epochs")
    ranges.check(config, "[0, 1]", "schedule.final_ratio", "schedule.rise")
    if config.optimizer.base_batch:
        peak = peak * batch_size / config.optimizer.base_batch
    if values.name == "noam" and features:
        return schedules.noam(features, warmup_steps, factor=peak)
    if values.name == "yolox":
        return schedules.quadratic_warmup_cosine(
            peak,
            total_steps=steps,
            warmup_steps=warmup_steps,
            final_steps=final_steps,
            final_ratio=values.final_ratio,
        )
    return schedules.schedule(
        values.name,
        peak,
        total_steps=steps,
        warmup_steps=warmup_steps,
        boundaries=values.boundaries,
        factor=values.factor,
        period=max(1, round(values.period_epochs * epoch)),
        hold=round(values.hold_epochs * epoch),
        power=values.power,
        final_ratio=values.final_ratio,
        rise=values.rise,
    )


def _warmup_steps(config: Config, steps: int, epoch: int) -> int:
    ranges.check(config, "[0, 1)", "schedule.warmup")
    ranges.check(config, "[0, inf)", "schedule.warmup_epochs", "schedule.warmup_steps")
    values = config.schedule
    lengths = {
        "warmup": values.warmup * steps,
        "warmup_epochs": values.warmup_epochs * epoch,
        "warmup_steps": values.warmup_steps,
    }
    given = {f"schedule.{name}": values[name] for name, length in lengths.items() if length}
    if len(given) > 1:
        raise ValueError(
            "one of schedule.warmup, warmup_epochs and warmup_steps may be above 0, got "
            + ", ".join(f"{name}={value}" for name, value in given.items())
        )
    return round(sum(lengths.values()))


def optimizer(config: Config, rate: optax.Schedule) -> optax.GradientTransformation:
    """Builds the optimizer of the group `optimizer`, all but its learning rate."""
    values = keywords(config.optimizer, "learning_rate", "base_batch")
    return optim.optimizer(learning_rate=rate, **values)


def average(config: Config, steps: int) -> Callable[[jax.Array], jax.Array] | None:
    """Builds the decay of the parameters' average, as the group `ema` says; None for none.

    Raises:
        ValueError: If a number is out of its range, or both a decay and a tail are given.
    """
    values = config.ema
    ranges.check(config, "[0, 1)", "ema.decay", "ema.tail")
    ranges.check(config, "[0, inf)", "ema.warmup")
    if values.decay and values.tail:
        raise ValueError(
            f"one of ema.decay and ema.tail may be above 0, got {values.decay} and {values.tail}"
        )
    if values.tail:
        return tail_average(round((1 - values.tail) * steps))
    if not values.decay:
        return None
    return (
        warmup_decay(values.decay, values.warmup) if values.warmup else constant_decay(values.decay)
    )


def init_from(config: Config, name: str, *, part: str = "", now: bool) -> tuple[InitFrom, ...]:
    """Reads what a new run starts from, if `weights` names anything.

    Args:
        config: The values.
        name: The variant that the weights are of, if they are a reference's.
        part: The only part of the model that they fill, if they are a reference's; of a run what
            both networks have in common is taken.
        now: Whether to read them at once, so that a wrong file is found before the run starts; a
            run that continues does not need them.
    """
    if not config.weights:
        return ()
    read = functools.partial(weights.read_weights, config.weights, name)
    if now:
        own = weights.part_of_run(config.weights, config)
        part = part if own is None else own
    variables = read() if now else read
    label = f"the weights {config.weights}"
    return (InitFrom(variables, there=part, here=part, strict=False, label=label),)


def run_options(config: Config, epoch: int) -> dict[str, Any]:
    """Returns the fields of an experiment that say how long it runs and what happens when.

    Args:
        config: The values.
        epoch: Steps in an epoch.

    Raises:
        ValueError: If a number is out of its range.
    """
    steps = total_steps(config, epoch)
    ranges.check(config, "(0, inf)", "eval.epochs")
    ranges.check(config, "[0, 100_000]", "eval.batch_size")
    ranges.check(config, "[0, inf)", "eval_every", "save_every", "save_minutes", "patience")
    if config.wandb:
        wandb_writer.client()  # an extra that is missing is an error now, not after hours
    interval = min(max(1, round(config.eval.epochs * epoch)), steps)
    return dict(
        total_steps=steps,
        seed=config.seed,
        ema=average(config, steps),
        accumulate=config.accumulate,
        freeze=tuple(config.freeze.split()),
        patience=config.patience or None,
        plateau=_plateau(config),
        state_sharding=state_sharding(config.sharding),
        log_every=config.log_every,
        eval_every=config.eval_every or interval,
        save_every=config.save_every or max(epoch, 100),
        save_minutes=config.save_minutes,
        non_finite=config.non_finite,
        spike=config.spike,
        wandb=config.wandb,
    )


def _plateau(config: Config) -> Plateau | None:
    ranges.check(config, "[0, inf)", "plateau.patience")
    options = keywords(config.plateau, "patience")
    checked = Plateau(config.plateau.patience or 1, **options)
    return checked if config.plateau.patience else None


def meta(recipe: str, config: Config, info: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a checkpoint says of its run, as JSON.

    Args:
        recipe: `__name__` of the recipe's module.
        config: The values.
        info: What the task knows of the data.
    """
    return {
        "recipe": recipe.rpartition(".")[2],
        "config": json.loads(json.dumps(config.to_dict())),
        "info": dict(info),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }
