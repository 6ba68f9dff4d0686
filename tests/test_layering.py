"""What may import what."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
# Each layer imports those before it.
LAYERS = (
    "ops",
    "data",
    "layers",
    "models",
    "assigners",
    "losses",
    "metrics",
    "tasks",
    "pretrained",
    "train",
    "inference",
    "cli",
)
MODULES = sorted((ROOT / "jaxvision").rglob("*.py"))


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


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_go_one_way(path):
    own = layer(module_name(path))
    for name in imported(path):
        assert not name.startswith(("configs", "train.")), f"{path} imports {name}"
        other = layer(name)
        if other is None or own not in LAYERS:
            continue
        assert LAYERS.index(other) <= LAYERS.index(own), f"{path} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_only_layers_and_models_import_linen(path):
    if layer(module_name(path)) in ("layers", "models", "pretrained"):
        return
    assert not any(n.startswith("flax.linen") for n in imported(path))


def test_every_module_is_in_a_known_layer():
    folders = {p.name for p in (ROOT / "jaxvision").iterdir() if p.is_dir()} - {"__pycache__"}
    assert folders <= set(LAYERS)


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return set(result.stdout.split())


def test_models_import_neither_frameworks_nor_image_libraries():
    loaded = loaded_by("import jaxvision.models")
    assert not loaded & {"tensorflow", "torch", "cv2", "tensorflow_datasets", "grain", "clu"}


def test_models_import_little_more_than_linen():
    # Measured: 1.0 times the time of `import flax.linen`.
    more = loaded_by("import jaxvision.models") - loaded_by("import flax.linen")
    assert more - set(sys.stdlib_module_names) == {"jaxvision", "einops"}


def test_training_imports_neither_tensorflow_nor_pytorch():
    loaded = loaded_by("import jaxvision.train.loop, configs.yolox, jaxvision.pretrained")
    assert not loaded & {"tensorflow", "torch", "tensorflow_datasets"}
