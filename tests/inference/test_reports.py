"""What the report of an evaluation says, for predictions that are known."""

import json
import re

import numpy as np
import pytest
from toy_translation import ENGLISH, GERMAN

from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.data.detection import detection_source
from jaxvision.data.detection_examples import DetectionEvalExample
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.stream import Stream
from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.inference.reports.detection import report_detection
from jaxvision.inference.reports.layout import Table, as_html, as_json, as_text, number, share
from jaxvision.inference.reports.translation import report_translation
from jaxvision.metrics.coco import COCODetection
from jaxvision.metrics.translation import TranslationQuality
from jaxvision.train.evaluate import Evaluation

NAMES = ("circle", "square", "star", "triangle")


def shapes(count=6):
    source = detection_source("shapes", None, "val", length=count, image_size=64)
    return Stream(
        InOrder(count, count), DetectionEvalExample(source, Letterbox((64, 96))), name=source.name
    )


def measured(data, spoil=lambda boxes, scores, classes, valid: None):
    """Evaluates the truth as predictions, after something was done to it."""
    (batch,) = data
    found = [batch["boxes"].copy(), np.where(batch["valid"], 0.9, 0.0), batch["classes"].copy()]
    found.append(batch["valid"].copy())
    spoil(*found)
    boxes, scores, classes, valid = found
    metric = COCODetection.from_model_output(
        boxes=boxes, scores=scores, classes=classes, valid=valid, batch=batch, class_names=NAMES
    )
    return Evaluation("val", 0, metric.compute(), metric, None, batch), batch


def test_perfect_detections_leave_nothing_to_show():
    data = shapes()
    report = report_detection(measured(data)[0], data, NAMES)
    values = report.values
    objects = sum(values["classes"][name]["objects"] for name in NAMES)
    counts = np.array(values["confusion"]["counts"])
    assert np.trace(counts) == counts.sum() == objects > 6
    assert values["worst"] == [] and values["sizes"]["small"]["missed"] == 0
    assert report.headline.startswith("AP 1.000, AP50 1.000 on 6 images; suggested threshold 0.00")


def test_errors_are_counted_and_their_pictures_come_first():
    def spoil(boxes, scores, classes, valid):
        valid[3, 0] = False  # a miss
        classes[5, 0] = (classes[5, 0] + 1) % 4  # a confusion
        scores[:, 1:] = np.where(valid[:, 1:], 0.6, 0)

    data = shapes()
    evaluation, batch = measured(data, spoil)
    report = report_detection(evaluation, data, NAMES)
    counts = np.array(report.values["confusion"]["counts"])
    assert counts[batch["classes"][3, 0], 4] == 1 and counts[4].sum() == 0
    true = batch["classes"][5, 0]
    assert counts[true, (true + 1) % 4] == 1 and counts.sum() - np.trace(counts) == 2
    assert [each["image"] for each in report.values["worst"]] == [data.name(3), data.name(5)]
    assert report.values["sizes"]["small"]["missed"] == 2
    page = as_html(report, "A & <B>", "where")
    assert page.count("<h2>") == 7 and "<h1>A &amp; &lt;B&gt;</h1>" in page
    # Two pairs of pictures; four curves, the confusions and the calibration.
    assert len(re.findall('src="data:image/(?:png|jpeg);base64,', page)) == 4
    assert page.count("<svg") == 6
    assert not re.search(r"(src|href)=\"(?!data:|#)|<script|@import|url\((?!#)", page)
    parsed = json.loads(as_json(report, run="r"))
    # Shapes of 64 pixels have no large objects: AP_large is not defined.
    assert parsed["metrics"]["AP_large"] is None and parsed["run"] == "r"


def test_worst_picture_is_without_the_border_of_the_letterbox():
    data = shapes()

    def spoil(boxes, scores, classes, valid):
        valid[2] = False

    report = report_detection(measured(data, spoil)[0], data, NAMES)
    (pair,) = report.sections[-1].parts
    # Two pictures of 64 x 64, enlarged eight times, not 64 x 96.
    assert [cell.image.shape[:2] for cell in pair.cells] == [(8 * 64, 8 * 64)] * 2


def test_translations_by_length_and_by_likelihood():
    tokenizer = SubwordTokenizer.train(ENGLISH + GERMAN, 320)
    metric = TranslationQuality.from_model_output(
        index=[0, 1],
        hypotheses=["ein Hund", "a b c d e f g"],
        references=["ein Hund", "a b c d e f h"],
        negative_log_likelihood=np.array([1.0, 20.0]),
        correct=np.array([3, 6]),
        tokens=np.array([3, 8]),
    )
    source = tokenizer.encode(["one dog"])[0][None]
    target = tokenizer.encode(["ein Hund"])[0]

    class Predicted:
        tokens = target[None]
        attention = np.full((1, len(target), source.shape[1]), 0.1, np.float32)

    batch = {"source": source, "index": np.arange(1), "mask": np.ones(1, bool)}
    evaluation = Evaluation("val", 0, metric.compute(), metric, Predicted, batch)

    class Data:
        @staticmethod
        def name(index):
            return f"val.en:{index + 1}: <sentence>"

    report = report_translation(evaluation, Data, tokenizer)
    assert [(row["words"], row["sentences"]) for row in report.values["lengths"]] == [
        ("1 to 5", 1),
        ("6 to 10", 1),
    ]
    assert report.values["worst"][0]["translation"] == "a b c d e f g"
    assert report.values["worst"][0]["perplexity"] == pytest.approx(np.exp(20 / 8))
    page = as_html(report, "t", "s")
    assert "val.en:2: &lt;sentence&gt;" in page and "perplexity 12.2" in page


def test_table_on_a_terminal():
    table = Table(("class", "n"), [("a", "1"), ("long name", "1,000")], [0.1, 1.0])
    assert as_text(table) == "class          n\na              1\nlong name  1,000"
    assert number(float("nan")) == share(float("nan")) == "–" and share(0.256) == "25.6%"
