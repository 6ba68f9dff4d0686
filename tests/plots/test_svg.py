"""Charts inside a page."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np

from jaxvision.check.page import page
from jaxvision.metrics.curves import Curve
from jaxvision.plots.confusion import confusion_matrix
from jaxvision.plots.curves import curves
from jaxvision.plots.style import to_rgb
from jaxvision.plots.svg import to_svg


def chart():
    line = np.linspace(0, 1, 5)
    names = [f"class {k}" for k in range(10)]
    return curves([Curve(line, line)] * 10, [0.5] * 10, names, title="ROC", axes=("x", "y"))


def test_every_colour_is_one_of_the_page():
    drawn = to_svg(chart(), "ROC <1>")
    ElementTree.fromstring(drawn.replace("xlink:", ""))
    assert 'aria-label="ROC &lt;1&gt;"' in drawn
    assert re.findall("#[0-9a-f]{6}", drawn) == []
    used = set(re.findall(r"var\((--\w+)\)", drawn))
    assert {"--bg", "--fg", "--line", "--soft", "--c0", "--c9"} <= used
    # In both schemes.
    written = page("", [])
    assert all(written.count(f"{name}:") == 2 for name in used)


def test_charts_of_a_page_share_no_name_but_of_equal_things():
    page = to_svg(chart(), "a") + to_svg(confusion_matrix(np.eye(3), ("a", "b", "c")), "b")
    defined = {}
    for name, definition in re.findall(r'<(?:path|clipPath) id="([^"]+)"(.*?/)>', page, re.DOTALL):
        assert defined.setdefault(name, definition) == definition
    assert set(re.findall(r'href="#([^"]+)|url\(#([^)]+)', page)) != set()
    assert '<g id="' not in page


def test_figure_can_still_be_drawn_as_pixels():
    figure = chart()
    before = to_rgb(figure)
    assert to_svg(figure, "") == to_svg(figure, "")
    np.testing.assert_array_equal(to_rgb(figure), before)
