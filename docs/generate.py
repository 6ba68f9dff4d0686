"""Writes the pages that are made of the code: configs.md and values.md.

    python docs/generate.py
    python docs/generate.py --check

With `--check` nothing is written, and the exit code is 1 if a page is out of date.
"""

import argparse
import inspect
import pathlib
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jaxvision.cli.config_file import load
from jaxvision.cli.config_help import comments, settings, sources_of
from jaxvision.cli.config_names import config_file, config_names
from jaxvision.recipes import (
    adversarial,
    adversarial_super_resolution,
    classification,
    detection,
    detectors,
    diffusion,
    diffusion_super_resolution,
    few_shot,
    language_modelling,
    node_classification,
    node_embedding,
    segmentation,
    super_resolution,
    text_classification,
    translation,
    word_embedding,
    zero_shot,
)
from jaxvision.train.workdir import flatten

FOLDER = pathlib.Path(__file__).parent
# Of which all values are listed, besides detection.
RECIPES = (
    classification,
    segmentation,
    diffusion,
    adversarial,
    super_resolution,
    adversarial_super_resolution,
    diffusion_super_resolution,
    zero_shot,
    few_shot,
    node_classification,
    node_embedding,
    language_modelling,
    text_classification,
    word_embedding,
    translation,
)
_WRITTEN = "<!-- Written by docs/generate.py: change the code, then run it. -->"


def configs() -> str:
    """Returns the page of all configs: the text of each and the values that it sets."""
    lines = [
        "# Configs",
        "",
        _WRITTEN,
        "",
        "A config is a file in `configs/` with a text and values; a flag replaces a value. Below "
        "are the text of each and the values, without an argument, that differ from the defaults "
        "of its kind of problem ([Values](values.md)). Installed, a config is found by its name: "
        "`jaxvision train --config=yolox`.",
    ]
    for name in config_names():
        module = load(config_file(name))
        config = module.get_config()
        method = [config.method] if "method" in config else []
        defaults = flatten(module.recipe.defaults(*method).to_dict())
        changed = {
            key: value
            for key, value in flatten(config.to_dict()).items()
            if key not in defaults or defaults[key] != value
        }
        lines += ["", f"## {name}", "", *_text(inspect.getdoc(module) or "")]
        lines += ["| value | set to | default |", "|---|---|---|"]
        for key, value in changed.items():
            default = _code(defaults[key]) if key in defaults else ""
            lines.append(f"| `{key}` | {_code(value)} | {default} |")
    return "\n".join(lines) + "\n"


def _text(text: str) -> Iterator[str]:
    """Yields a docstring as Markdown: indented commands become blocks of the shell."""
    for paragraph in text.split("\n\n"):
        if all(line.startswith("    ") for line in paragraph.splitlines()):
            commands = textwrap.dedent(paragraph).splitlines()
            # A line that a backslash continues is one line of the docstring, with its indentation.
            yield from ["```bash", *(re.sub(" {2,}", " ", line) for line in commands), "```", ""]
        else:
            yield from [_linked(paragraph), ""]


def _linked(text: str) -> str:
    """Turns bare addresses into links."""
    return re.sub(r"(https?://[^\s,]*[^\s,.;:])", r"<\1>", text)


def _code(value: Any) -> str:
    return f"`{value!r}`".replace("|", "\\|")


def values() -> str:
    """Returns the page of all values of each kind of problem with their comments."""
    lines = [
        "# Values",
        "",
        _WRITTEN,
        "",
        "Every value of a config is a flag: `--config.batch_size=32`, "
        "`--config.optimizer.learning_rate=0.01`, "
        '`--config.augment.multi_scale="(320, 416)"`. With `--help` after a config, `train.py` '
        "lists them with the values of that config. Here are the defaults of each kind of problem; "
        "a config sets some of them otherwise.",
    ]
    first, *others = detectors.DETECTORS
    whole = flatten(detection.defaults(first).to_dict())
    lines += ["", f"## Detection, method {first}", "", *_table(whole, detection, first)]
    for method in others:
        defaults = flatten(detection.defaults(method).to_dict())
        own = {
            name: value
            for name, value in defaults.items()
            if name not in whole or value != whole[name]
        }
        lines += ["", f"## Detection, method {method}", "", f"What differs from {first}:", ""]
        lines += _table(own, detection, method)
    for recipe in RECIPES:
        heading = recipe.__name__.rpartition(".")[2].replace("_", " ").capitalize()
        defaults = flatten(recipe.defaults().to_dict())
        lines += ["", f"## {heading}", "", *_table(defaults, recipe)]
    return "\n".join(lines) + "\n"


def _table(defaults: Mapping[str, Any], recipe: Any, method: str = "") -> list[str]:
    """Lists values with what the source says of them, in its order."""
    explained = comments(recipe, method)
    sources = sources_of(recipe)
    if method:
        sources += settings(detectors.detector(method).defaults)
    lines = ["| value | default | |", "|---|---|---|"]
    for name in _in_order(defaults, "".join(map(inspect.getsource, sources))):
        text = explained.get(name, "").replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| `{name}` | {_code(defaults[name])} | {text} |")
    return lines


def _in_order(names: Iterable[str], source: str) -> list[str]:
    """Sorts names as the source sets them, those of a group together: comments refer to it."""
    place = {name: source.find(f"config.{name} = ") for name in names}
    groups: dict[str, int] = {}
    for name, found in place.items():
        group = name.rpartition(".")[0]
        groups[group] = min(groups.get(group, found), found)
    return sorted(names, key=lambda name: (groups[name.rpartition(".")[0]], place[name]))


PAGES: dict[str, Callable[[], str]] = {"configs.md": configs, "values.md": values}


def outdated() -> list[str]:
    """Lists the pages whose file is not what the code says."""
    return [
        name
        for name, page in PAGES.items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text() != page()
    ]


def main() -> int:
    """Writes or checks the pages; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    names = outdated()
    for name in names:
        print(f"docs/{name} is out of date" if check else f"wrote docs/{name}")
        if not check:
            (FOLDER / name).write_text(PAGES[name]())
    return int(check and bool(names))


if __name__ == "__main__":
    sys.exit(main())
