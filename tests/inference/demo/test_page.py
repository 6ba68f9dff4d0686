"""The demo's page in a browser without a window."""

import cv2
import numpy as np
import pytest
from browser import browser, needs_chromium
from coloured import classifier
from painted import painted
from painter import sampler
from served import Shouting, served
from striped import NAMES, striped
from untrained import text_classifier, text_generator, upscaler, word_vectors

from jaxvision.plots.segmentation import class_colours
from jaxvision.plots.style import PALETTE

pytestmark = [pytest.mark.slow, needs_chromium]

# IoU of the first two is 0.74; the third is of another class, the fourth is cut off by the picture,
# the fifth is in the border around it.
BOXES = (
    (20, 20, 20, 20, 1, 0.9),
    (23, 20, 20, 20, 1, 0.6),
    (20, 20, 20, 20, 0, 0.5),
    (60, 10, 20, 10, 0, 0.4),
    (40, 56, 10, 10, 0, 0.8),
)
ROWS = "document.querySelectorAll('#found li').length"
ANSWERED = "/ \\d+\\.\\d\\d s/.test(' ' + document.getElementById('status').textContent)"


@pytest.fixture(scope="module")
def page():
    with browser() as page:
        yield page


@pytest.fixture
def own(page):
    """Opens the page of a server; checks afterwards that nothing else was asked."""
    page.errors.clear()
    page.requests.clear()

    def open_page(server, **window):
        page.open(server.url, **window)
        page.wait("document.querySelector('main:not([hidden])')?.id")
        own.url = server.url

    yield open_page
    assert page.errors == []
    assert all(url.startswith((own.url, "blob:", "data:")) for url in page.requests)


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "picture.png"
    cv2.imwrite(str(file), np.full((96, 128, 3), 60, np.uint8))
    return file


def slide(page, **values):
    for name, value in values.items():
        page.value(
            f"{{ const s = document.getElementById('{name}'); s.value = {value};"
            "s.dispatchEvent(new Event('input')); }"
        )


def predictions(page):
    return sum(url.endswith("/predict") for url in page.requests)


def test_sliders_give_what_the_detector_gives_without_another_prediction(page, own, picture):
    detector = painted(*BOXES)
    with served(detector) as server:
        own(server)
        assert page.value(ROWS) == 0
        page.upload("#file", picture)
        page.wait(ANSWERED)
        counts = []
        for iou in (0, 0.65, 0.75):
            of_iou = detector.replaced(iou=iou)
            for score in (0.05, 0.3, 0.45, 0.55, 0.7, 0.95):
                slide(page, score=score, iou=iou)
                found = of_iou(picture, threshold=score)
                assert page.value(ROWS) == len(found), (score, iou)
                shown = page.value(
                    "[...document.querySelectorAll('#found .label')]"
                    ".map((each) => each.textContent)"
                )
                assert shown == found.names
                counts.append(len(found))
        assert set(counts) == {0, 1, 2, 3, 4}
        assert predictions(page) == 1


def test_boxes_are_drawn_where_they_are(page, own, picture):
    with served(painted(*BOXES)) as server:
        own(server, width=400)
        page.upload("#file", picture)
        page.wait(ANSWERED)
        # The left edge of the best box: x 20 of the picture's 128, and y from 20 to 60 of 96.
        column = page.value(
            """{ const canvas = document.getElementById('canvas');
            const scale = canvas.width / 128;
            const x = Math.round(20 * scale), y = Math.round(40 * scale);
            [...canvas.getContext('2d').getImageData(x - 1, y, 1, 1).data].slice(0, 3) }"""
        )
        np.testing.assert_allclose(column, PALETTE[1], atol=60)
        assert page.value("document.body.scrollWidth") <= 400


def test_classes_are_painted_as_strongly_as_the_slider_says(page, own, tmp_path):
    image = np.zeros((96, 128, 3), np.uint8)
    image[:, :64, 1] = 100  # green; the rest is background
    cv2.imwrite(str(tmp_path / "halves.png"), image)
    with served(striped(size=(96, 128))) as server:
        own(server)
        page.upload("#file", tmp_path / "halves.png")
        page.wait(ANSWERED)
        rows = page.value("[...document.querySelectorAll('#found li')].map((x) => x.textContent)")
        assert rows == ["background50.0%", "green50.0%"]
        for opacity in (0, 0.5, 1):
            slide(page, opacity=opacity)
            left, right = page.value(
                """{ const canvas = document.getElementById('canvas');
                [0.25, 0.75].map((x) => [...canvas.getContext('2d').getImageData(
                    Math.round(x * canvas.width), 50, 1, 1).data].slice(0, 3)) }"""
            )
            colour = class_colours(NAMES)[1]
            expected = opacity * colour + (1 - opacity) * np.array([0, 100, 0])
            np.testing.assert_allclose(left, expected, atol=3)
            np.testing.assert_allclose(right, 0, atol=3)
        assert predictions(page) == 1


def test_what_is_refused_is_said(page, own, tmp_path):
    with served(painted(*BOXES)) as server:
        own(server)
        (tmp_path / "text.txt").write_text("no picture")
        (tmp_path / "wrong.png").write_bytes(b"no picture")
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 255, (200, 200, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "large.png"), noise)
        says = "document.querySelector('#status.error')?.textContent"
        for name, words in (
            ("text.txt", "text.txt is not a picture"),
            ("large.png", "more than 0.0300 MB"),
            ("wrong.png", "expected a picture, as PNG"),
        ):
            page.upload("#file", tmp_path / name)
            page.wait(f"({says} || '').includes('{words}')")
        assert predictions(page) == 1
        # The browser lists the status 415 as an error of the page.
        assert len(page.errors) == 1 and "415" in page.errors.pop()


def test_camera_is_predicted_until_it_is_stopped(page, own):
    with served(painted(*BOXES)) as server:
        server.answers.limit = 10**6
        own(server)
        button = "document.getElementById('camera')"
        page.value(f"{button}.click()")
        page.wait(f"{button}.textContent.startsWith('Stop') && {ANSWERED}")
        page.wait(f"{ROWS} > 0")
        page.value(f"{button}.click()")
        assert page.value(f"{button}.textContent") == "Camera"
        page.value("new Promise((done) => setTimeout(done, 300))")
        before = predictions(page)
        page.value("new Promise((done) => setTimeout(done, 300))")
        assert before > 1 and predictions(page) == before


def test_classes_have_bars(page, own, tmp_path):
    with served(classifier()) as server:
        own(server, dark=True)
        cv2.imwrite(str(tmp_path / "green.jpg"), np.full((20, 12, 3), (127, 255, 0), np.uint8))
        page.upload("#file", tmp_path / "green.jpg")
        page.wait(ANSWERED)
        rows = "[...document.querySelectorAll('#found li')]"
        names = page.value(f"{rows}.map((row) => row.querySelector('.label').textContent)")
        widths = page.value(f"{rows}.map((row) => row.querySelector('.bar span').offsetWidth)")
        assert names == ["grün", "blau", "rot"] and widths == sorted(widths, reverse=True)
        assert page.value("document.getElementById('sliders').hidden")


def test_text_is_translated(page, own):
    with served(Shouting()) as server:
        own(server)
        page.value("document.getElementById('source').value = 'ein Hund\\nzwei <b>'")
        page.value("document.getElementById('form').requestSubmit()")
        page.wait("document.getElementById('lines').textContent")
        assert page.value("document.getElementById('lines').textContent") == ("EIN HUND\nZWEI <B>")


def test_a_picture_is_shown_enlarged(page, own, picture):
    with served(upscaler()) as server:
        own(server)
        page.upload("#file", picture)
        page.wait(ANSWERED)
        status = page.value("document.getElementById('status').textContent")
        assert status.startswith("128 x 96 to 256 x 192")
        label = page.value("document.getElementById('what-blends').textContent")
        assert label == "Enlarged by the network"
        pixel = """[...document.getElementById('canvas').getContext('2d')
            .getImageData(40, 40, 1, 1).data].slice(0, 3)"""
        ours = page.value(pixel)
        slide(page, opacity=0)
        # What the browser makes of the grey picture.
        assert page.value(pixel) == [60, 60, 60] != ours


def written(page, text):
    """Sends a text and waits for the answer."""
    page.value(f"document.getElementById('source').value = {text!r}")
    page.value("document.getElementById('text-status').textContent = ''")
    page.value("document.getElementById('form').requestSubmit()")
    page.wait("/^\\d+\\.\\d\\d s$/.test(document.getElementById('text-status').textContent)")


RANKED = "[...document.querySelectorAll('#ranked .label')].map((row) => row.textContent)"


def test_a_text_goes_on(page, own):
    with served(text_generator()) as server:
        own(server)
        assert page.value("document.getElementById('action').textContent") == "Continue"
        written(page, "a good")
        assert page.value("document.getElementById('lines').textContent").startswith("a good ")


def test_classes_of_a_text_are_ranked(page, own):
    with served(text_classifier()) as server:
        own(server)
        written(page, "a good film")
        assert sorted(page.value(RANKED)) == ["bad", "good"]
        chosen = page.value("document.querySelector('#ranked .chosen .label').textContent")
        assert chosen == text_classifier()("a good film").name


def test_near_words_are_ranked(page, own):
    with served(word_vectors()) as server:
        own(server)
        written(page, "king")
        assert page.value(RANKED) == ["queen", "man", "of"]
        assert page.value("document.querySelector('#ranked .value').textContent") == "0.99"


def test_samples_are_drawn(page, own):
    with served(sampler()) as server:
        own(server)
        written(page, "grey")
        page.wait("document.getElementById('samples').naturalWidth > 0")
        assert not page.value("document.getElementById('samples').hidden")
        assert page.value("document.getElementById('lines').hidden")
