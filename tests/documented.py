"""The commands that README, documentation and other texts show, and a check of each.

A check parses: the config exists, every flag is known, a script and its flags are there. Nothing is
run, so that all commands together take a second.
"""

import ast
import functools
import importlib
import pathlib
import pkgutil
import re
import shlex
import tomllib
from typing import NamedTuple

from jaxvision import recipes
from jaxvision.cli.completion import flags as command_flags
from jaxvision.cli.config_file import Command, parse
from jaxvision.cli.config_names import config_file
from jaxvision.cli.main import parser
from jaxvision.recipes import detection, detectors
from jaxvision.train.workdir import flatten

ROOT = pathlib.Path(__file__).parents[1]
TEXTS = [
    *(ROOT / name for name in ("README.md", "BENCHMARKS.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
# Programs of others: their arguments are theirs.
OTHERS = {
    *("cd", "export", "gcloud", "hf", "mpirun", "nvidia-smi", "pip", "pre-commit", "srun", "twine"),
    *("unset", "zensical"),
    *("onnx2tf", "pnnx", "trtexec"),
}
# Libraries of others that texts show and tests do not need.
RUNTIMES = {"openvino"}
ORT_FORMAT = "onnxruntime.tools.convert_onnx_models_to_ort"
PYTEST = {"-m", "-q", "-n", "-k", "-x", "--dist"}
# In texts a flag may also be one of these programs'.
OF_OTHERS = {"--gpus", "--signal", "--strict"}
_FENCE = re.compile(r"^( *)```(\w*)([^\n]*)\n(.*?)^\1```", re.M | re.S)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_OWN = re.compile(r"(?:\w+=\S* )?(?:jaxvision|python) ")


class Shown(NamedTuple):
    """One command line of a text.

    Attributes:
        place: File and line.
        text: The command.
        inline: Whether it stands within a sentence or a table, perhaps only its name.
    """

    place: str
    text: str
    inline: bool


def blocks(path: pathlib.Path, language: str) -> list[tuple[str, str, str]]:
    """Returns (place, what follows the language, content) of each block of a language."""
    text = path.read_text()
    return [
        (f"{path.name}:{text.count(chr(10), 0, found.start()) + 1}", found[3].strip(), found[4])
        for found in _FENCE.finditer(text)
        if found[2] == language
    ]


def shown(path: pathlib.Path) -> list[Shown]:
    """Collects the commands of a text: lines of shell blocks, and code within sentences."""
    found = []
    for place, _, content in blocks(path, "bash"):
        for line in content.replace("\\\n", " ").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                found.append(Shown(place, line.strip(), False))
    text = path.read_text()
    for place, _, content in blocks(path, "yaml"):
        for words in re.findall(r"command: \[(.*)\]", content):
            found.append(Shown(place, " ".join(re.split(r", *", words)), False))
    prose = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    for code in _INLINE.finditer(prose):
        if _OWN.match(code[1]) or code[1].startswith("--"):
            line = prose.count("\n", 0, code.start()) + 1
            found.append(Shown(f"{path.name}:{line}", code[1].replace("\\|", "|"), True))
    return found


def simple_commands(text: str) -> list[list[str]]:
    """Splits a line of the shell into its commands, those within "$(...)" and quotes, too."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split, lexer.commenters = True, "#"
    commands: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("&|;"):
            commands.append([])
        elif inner := re.search(r"\$\((.*)\)", word):
            commands.append(shlex.split(inner[1]))
        elif word.startswith("--command="):
            commands.append(shlex.split(word.partition("=")[2]))
        else:
            commands[-1].append(word)
    return [_bare(command) for command in commands if _bare(command)]


def _bare(words: list[str]) -> list[str]:
    """Drops variables before a program, and what only starts another one."""
    while words and (re.match(r"[A-Z_]+=", words[0]) or words[0] in ("eval", "srun")):
        words = words[1:]
    return words


def check(command: Shown) -> list[Command]:
    """Checks one command line; returns what its training commands say.

    Raises:
        ValueError: If a config, a flag, a script or a program is unknown.
    """
    if command.text.startswith("--"):
        for name in re.findall(r"(?:^|\s)--([\w.-]+)", command.text):
            if f"--{name}" not in all_flags() | OF_OTHERS:
                raise ValueError(f"no command has the flag --{name}")
        return []
    trained = []
    for words in simple_commands(command.text):
        if found := _check_words(words, command.inline):
            trained.append(found)
    return trained


def _check_words(words: list[str], inline: bool) -> Command | None:
    program, *rest = words
    if program == "jaxvision" and rest[:1] == ["train"]:
        return _training(["jaxvision train", *rest[1:]], bare=inline and not rest[1:])
    if program == "jaxvision" and rest[:1] == ["cross-validate"]:
        flags = [word for word in rest[1:] if not word.startswith("--folds=")]
        return _training(["jaxvision train", *flags], bare=inline and not flags)
    if program == "jaxvision":
        return _check_subcommand(rest, inline)
    if program == "python" and rest[:1] == ["train.py"]:
        return _training(rest, bare=inline and rest[1:] in ([], ["..."]))
    if program == "python":
        return _check_python(rest)
    if program not in OTHERS:
        raise ValueError(f"{program} is no program that the texts use; add it to OTHERS if it is")
    if program == "pip":
        _check_extras(rest)
    return None


def _training(arguments: list[str], bare: bool) -> Command | None:
    if bare:
        return None
    # What a text leaves out, and a file of the reader's own: they have the flags of yolox.
    program, *words = arguments
    words = [
        "configs/yolox.py" if word == "..." else re.sub(r"\bmy_config\.py", "yolox", word)
        for word in words
    ]
    return parse([program, *map(_located, words)], "")


def _located(word: str) -> str:
    """Gives a config its whole path: of configs/, or a copy of one in a folder of the reader."""
    match = re.match(r"((?:--config=)?)([\w./]+\.py)(.*)", word)
    if not match:
        return word
    flag, path, argument = match.groups()
    file = ROOT / path if path.startswith("configs/") else config_file(pathlib.Path(path).stem)
    return f"{flag}{file}{argument}"


def _check_subcommand(words: list[str], inline: bool) -> None:
    known = set(command_flags())
    if not words or words[0] not in known:
        if words[:1] in (["--help"], ["--version"]):
            return
        raise ValueError(f"jaxvision has no command {' '.join(words[:1])}")
    if inline and len(words) == 1:
        return
    try:
        options, rest = parser().parse_known_args(words)
    except SystemExit as error:
        if error.code:
            raise ValueError(f"wrong arguments for jaxvision {words[0]}") from error
        return
    stray = [word for word in rest if word.startswith("-") or not hasattr(options, "inputs")]
    if stray:
        raise ValueError(f"jaxvision {words[0]} has no {' '.join(stray)}")


def _check_python(words: list[str]) -> None:
    if words[0] == "-c":
        compile(words[1], "-c", "exec")
        return
    if words[:2] == ["-m", "tests.fuzz"]:
        words = ["tests/fuzz/__main__.py", *words[2:]]
    elif words[0] == "-m":
        if words[1] not in ("pytest", "build", "jaxvision", ORT_FORMAT):
            raise ValueError(f"python -m {words[1]} is none of the programs that the texts use")
        if words[1] == "pytest" and (bad := {w for w in words[2:] if w[0] == "-"} - PYTEST):
            raise ValueError(f"pytest is called with {' '.join(bad)}")
        return
    script = ROOT / words[0]
    if not script.is_file():
        raise ValueError(f"there is no {words[0]}")
    for word in words[1:]:
        name = re.match(r"--([\w-]+)", word)
        if name and not re.search(rf"[\"'](--)?{name[1]}[\"']", script.read_text()):
            raise ValueError(f"{words[0]} has no flag --{name[1]}")


def _check_extras(words: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for word in words:
        if extras := re.fullmatch(r"(?:\.|jaxvision)\[(.*)\]", word):
            for extra in extras[1].split(","):
                if extra not in project["optional-dependencies"]:
                    raise ValueError(f"there is no extra {extra}")


@functools.cache
def all_flags() -> set[str]:
    """Returns every flag of every command, those of all configs included."""
    found = {flag for of_command in command_flags().values() for flag in of_command}
    found |= {f"--{name}" for name in ("coordinator", "num_processes", "process_id")}
    found |= {f"--{name}" for name in ("distributed", "nodistributed", "connect_seconds", "replay")}
    configs = [detection.defaults(name) for name in detectors.DETECTORS]
    for module in pkgutil.iter_modules(recipes.__path__, f"{recipes.__name__}."):
        recipe = importlib.import_module(module.name)
        if hasattr(recipe, "experiment"):
            configs.append(recipe.defaults())
    for config in configs:
        found |= {f"--config.{name}" for name in flatten(config.to_dict())}
    return found


def check_python_block(content: str) -> None:
    """Checks that a block of Python is valid and that what it imports exists.

    Raises:
        SyntaxError: If it is not valid.
        ImportError: If a module or a name of it does not exist.
    """
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name not in RUNTIMES:
                    importlib.import_module(name.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            for name in node.names:
                if not hasattr(module, name.name):
                    importlib.import_module(f"{node.module}.{name.name}")
