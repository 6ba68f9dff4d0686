"""What may import what."""

import ast
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
# Each layer imports those before it.
LAYERS = (
    "ops",
    "data",
    "check",
    "layers",
    "models",
    "assigners",
    "losses",
    "metrics",
    "plots",
    "tasks",
    "pretrained",
    "train",
    "recipes",
    "inference",
    "cli",
)
LINEN = ("layers", "models", "pretrained")


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(name):
    parts = name.split(".")
    return parts[1] if parts[0] == "jaxvision" and len(parts) > 1 else None


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


# Layer, module and imported name, for every import of the library.
IMPORTS = [
    (layer(module_name(path)), module_name(path), name)
    for path in sorted((ROOT / "jaxvision").rglob("*.py"))
    for name in imported(path)
]


def test_imports_go_one_way():
    allowed = {own: LAYERS[: i + 1] for i, own in enumerate(LAYERS)}
    assert [
        f"{module} imports {name}"
        for own, module, name in IMPORTS
        if layer(name) in LAYERS and own in LAYERS and layer(name) not in allowed[own]
    ] == []


def test_library_imports_nothing_of_the_checkout():
    outside = ("configs", "train", "tests", "benchmarks")
    assert [f"{m} imports {name}" for _, m, name in IMPORTS if name.split(".")[0] in outside] == []


def test_only_layers_and_models_import_linen():
    assert [
        f"{module} imports {name}"
        for own, module, name in IMPORTS
        if name.startswith("flax.linen") and own not in LINEN
    ] == []


def test_every_convolution_passes_one_place():
    # layers/convolution.py gives it gradients that are fast on CPUs; the others have their own.
    own = ("clip_convolution.py", "convolution.py", "depthwise.py", "conv_transpose.py")
    plain = re.compile(r"nn\.(Conv|ConvTranspose|ConvLocal)\(|lax\.conv\w*\(")
    assert [
        f"{path}: {found[0]}"
        for path in sorted((ROOT / "jaxvision").rglob("*.py"))
        if path.name not in own
        for found in plain.finditer(path.read_text())
    ] == []


def test_every_module_is_in_a_known_layer():
    folders = {p.name for p in (ROOT / "jaxvision").iterdir() if p.is_dir()} - {"__pycache__"}
    assert folders <= set(LAYERS)


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return set(result.stdout.split())


def test_models_import_little_more_than_linen():
    # Measured: 1.0 times the time of `import flax.linen`.
    more = loaded_by("import jaxvision.models") - loaded_by("import flax.linen")
    assert more - set(sys.stdlib_module_names) == {"jaxvision", "einops"}


def test_training_imports_neither_tensorflow_nor_pytorch():
    loaded = loaded_by("import jaxvision.train.loop, configs.yolox, jaxvision.pretrained")
    assert not loaded & {"tensorflow", "torch", "tensorflow_datasets"}
