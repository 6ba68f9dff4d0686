"""What `import jaxvision` costs."""

import subprocess
import sys

import pytest

import jaxvision
from jaxvision.inference.load import load


def test_package_imports_nothing_until_something_is_loaded():
    code = "import sys; before = set(sys.modules); import jaxvision; print(jaxvision.__version__);"
    code += "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, loaded = found.stdout.splitlines()
    assert version == jaxvision.__version__
    assert set(loaded.split()) - set(sys.stdlib_module_names) == {"jaxvision"}


def test_load_is_found_by_its_name():
    assert jaxvision.load is load
    assert "load" in dir(jaxvision)
    with pytest.raises(AttributeError, match="module 'jaxvision' has no attribute 'lode'"):
        _ = jaxvision.lode
