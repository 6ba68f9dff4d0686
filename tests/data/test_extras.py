import math

import pytest

from jaxvision.data.extras import library


def test_missing_library_names_the_extra_that_has_it():
    assert library("math", "text") is math
    with pytest.raises(ImportError, match=r"no_such_one is not .* pip install 'jaxvision\[text\]'"):
        library("no_such_one.inner", "text")
