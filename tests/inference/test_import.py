"""What `import jaxvision` costs."""

import subprocess
import sys

import pytest

import jaxvision
from jaxvision import models, pretrained
from jaxvision.inference.classifier import Classifier
from jaxvision.inference.detector import Detector
from jaxvision.inference.load import load
from jaxvision.inference.translator import Translator


def test_package_imports_nothing_until_something_is_loaded():
    code = "import sys; before = set(sys.modules); import jaxvision; print(jaxvision.__version__);"
    code += "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, loaded = found.stdout.splitlines()
    assert version == jaxvision.__version__
    assert set(loaded.split()) - set(sys.stdlib_module_names) == {"jaxvision"}


def test_names_are_found_at_the_top():
    assert jaxvision.load is load
    assert jaxvision.Detector is Detector and jaxvision.Classifier is Classifier
    assert jaxvision.Translator is Translator
    assert jaxvision.models is models and jaxvision.pretrained is pretrained
    assert set(jaxvision.__all__) <= set(dir(jaxvision))
    with pytest.raises(AttributeError, match="module 'jaxvision' has no attribute 'lode'"):
        _ = jaxvision.lode


def test_models_are_found_without_having_been_imported():
    code = "import jaxvision; print(jaxvision.models.variants()[0], jaxvision.pretrained.load)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("lenet5 <function load")
