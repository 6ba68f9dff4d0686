"""`jaxvision info`: what a run or a file of weights is.

jaxvision info runs/yolox
jaxvision info yolox_s.pth
"""

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxvision.cli.run import metrics_at, start_jax

_DESCRIPTION = """
Says what a run is: task, variant, classes, size, its checkpoints with the best one and its metrics,
how it was started (command, versions, commit, devices, environment, digests of its data), and the
values of its config that are not the recipe's defaults. Of a file of weights (.pth, .pt,
.safetensors, .npz) it says what it holds, and which variant that is if the file's name tells.
"""
# Classes that are named.
_NAMED = 40


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "info", help="what a run or a file of weights is", description=_DESCRIPTION
    )
    parser.add_argument("path", metavar="RUN|FILE", type=Path)
    parser.add_argument("--step", type=int, help="checkpoint of the run; by default the best")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints what there is to know; returns the exit code.

    Raises:
        FileNotFoundError: If there is no such run or file.
        ValueError: If it cannot be read.
    """
    path = options.path.expanduser()
    if path.is_file():
        if options.step is not None:
            raise ValueError("--step is for runs, got a file")
        found = _file(path)
    else:
        found = _run(path, options.step)
    print(json.dumps(_plain(found), indent=2, ensure_ascii=False) if options.json else _text(found))
    return 0


def _run(path: Path, step: int | None) -> dict[str, Any]:
    start_jax()
    import jax

    from jaxvision.inference.load import load, run_folder
    from jaxvision.train.starts import read_starts
    from jaxvision.train.workdir import flatten

    predictor = load(path, step=step)
    origin = predictor.origin
    if origin is None:
        raise ValueError(f"{path} is not a run")
    config = origin.config
    folder, _ = run_folder(path, step)
    steps = sorted(int(p.name) for p in (folder / "checkpoints").iterdir() if p.name.isdigit())
    found: dict[str, Any] = {
        "run": str(folder),
        "what": f"a {type(predictor).__name__.lower()} of the recipe "
        f"{origin.recipe.__name__.rpartition('.')[2]}",
        "variant": config.variant,
        "parameters": sum(math.prod(x.shape) for x in jax.tree.leaves(predictor.params)),
        "input": predictor.program().what,
        "best step" if step is None else "step": origin.step,
        "checkpoints": steps,
    }
    found["metrics"] = metrics_at(folder, origin.step)
    if names := origin.info.get("class_names"):
        found["classes"] = list(names)
    defaults = _values(_defaults(origin.recipe, config))
    if starts := read_starts(folder):
        found["started"] = [f"{start.get('time')} at step {start.get('step')}" for start in starts]
        found["last start"] = flatten(starts[-1])
    found["config"] = {k: v for k, v in _values(config).items() if defaults.get(k, v) != v}
    return found


def _defaults(recipe: Any, config: Any) -> Any:
    return recipe.defaults(config.method) if "method" in config else recipe.defaults()


def _values(config: Any) -> dict[str, Any]:
    """Returns the values of a config by their dotted names, as JSON has them."""
    from jaxvision.train.workdir import flatten

    return flatten(json.loads(json.dumps(config.to_dict())))


def _file(path: Path) -> dict[str, Any]:
    from jaxvision.pretrained.families import FAMILIES
    from jaxvision.pretrained.load import load
    from jaxvision.pretrained.read import read_state

    state = read_state(path)
    dtypes = sorted({str(array.dtype) for array in state.values()})
    found: dict[str, Any] = {
        "file": str(path),
        "what": f"{len(state):,} arrays of {', '.join(dtypes)}, as {', '.join(list(state)[:3])}",
        "numbers": sum(array.size for array in state.values()),
    }
    words = path.stem.lower().replace("-", "_")
    names = [name for family in FAMILIES for name in family.names if name in words]
    tried = sorted(names, key=len, reverse=True)
    for name in tried:
        try:
            load(name, state)
        except ValueError:
            continue
        found["variant"] = f"{name}, every array of it; pretrained.load({name!r}, {str(path)!r})"
        return found
    found["variant"] = (
        f"not that of {', '.join(tried)}"
        if tried
        else "the file's name does not tell; pretrained.load(NAME, file) says what differs"
    )
    return found


def _plain(value: Any) -> Any:
    """Replaces numbers that JSON does not have by null."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(found: Mapping[str, Any]) -> str:
    lines = []
    for name, value in found.items():
        if isinstance(value, dict):
            lines += [name, *(f"  {k:<32} {_short(v)}" for k, v in value.items())]
        elif isinstance(value, list):
            shown = ", ".join(map(str, value[:_NAMED])) + (", ..." if len(value) > _NAMED else "")
            lines.append(f"{name:<12} {len(value):,}: {shown}")
        else:
            lines.append(f"{name:<12} {_short(value)}")
    return "\n".join(lines)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
