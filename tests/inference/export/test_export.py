"""Exported files of networks that need no training, and of a run."""

import importlib.util
import json
import sys

import grid
import jax
import jax.export
import numpy as np
import pytest
from coloured import classifier
from painted import painted
from striped import striped, task

from jaxvision import models
from jaxvision.data.augment.fixed_crop import CenterCrop
from jaxvision.data.plans.episodes import Episode
from jaxvision.data.text.word_tokenizer import WordTokenizer
from jaxvision.inference.export import agreement
from jaxvision.inference.export.write import export
from jaxvision.inference.few_shot import FewShotClassifier
from jaxvision.inference.text_generator import TextGenerator
from jaxvision.tasks.few_shot import FewShot
from jaxvision.tasks.language_modelling import LanguageModelling

# Of objects: center, width and height in pixels, class, score.
OBJECTS = ((20, 15, 20, 10, 1, 0.9), (21, 15, 20, 10, 1, 0.6), (40, 40, 16, 16, 0, 0.7))


def needs(*packages):
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason="needs the extra export")


onnx_extra = needs("onnx", "onnxruntime")


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    sizes = ((64, 64), (50, 80), (33, 20))
    return [rng.integers(1, 256, (*size, 3), np.uint8) for size in sizes]


@pytest.fixture(scope="module")
def detector():
    return painted(*OBJECTS)


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory, detector):
    file = tmp_path_factory.mktemp("exported") / "made" / "model.onnx"
    return detector.export(file).path


def opened(file, like, kind):
    from jaxvision.inference.onnx_runtime import session

    return kind(session(file), like.task, like.transform)


def same(found, wanted):
    assert found.names == wanted.names
    np.testing.assert_allclose(found.boxes, wanted.boxes, atol=1e-3)
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-4)


@onnx_extra
def test_detector_of_a_file_finds_the_same_with_the_same_options(onnx_file, detector, pictures):
    from jaxvision.inference.exported import ExportedDetector

    ours = opened(onnx_file, detector, ExportedDetector)
    for options in (
        {},
        {"threshold": 0.8},
        {"iou": 0.99, "class_agnostic": True, "batch_size": 2},
        {"tile": 40, "classes": ["cat"]},
    ):
        expected = detector.replaced(**options)(pictures)
        assert sum(map(len, expected))
        for found, wanted in zip(ours.replaced(**options)(pictures), expected, strict=True):
            same(found, wanted)
    with pytest.raises(ValueError, match="images of one size, tta needs its run"):
        ours.replaced(tta=True)
    with pytest.raises(ValueError, match="exported file cannot be exported again"):
        ours.export("again.onnx")


@onnx_extra
def test_suppression_inside_a_file_has_the_options_of_the_detector(tmp_path, detector, pictures):
    from jaxvision.inference.exported import SuppressedDetector

    file = tmp_path / "nms.onnx"
    detector = detector.replaced(iou=0.95)
    detector.export(file, nms=True)
    ours = opened(file, detector, SuppressedDetector)
    for found, wanted in zip(ours(pictures), detector(pictures), strict=True):
        assert len(wanted) == 3
        same(found, wanted)
    assert len(ours.replaced(threshold=0.8)(pictures[0])) == 1
    with pytest.raises(ValueError, match="iou cannot change: this file holds its suppression"):
        ours.replaced(iou=0.5)


@onnx_extra
@pytest.mark.parametrize("tta", [False, True])
def test_classifier_of_a_file(tmp_path, pictures, tta):
    from jaxvision.inference.exported import ExportedClassifier

    made = classifier()
    file = made.export(tmp_path / "model.onnx").path
    ours = opened(file, made, ExportedClassifier).replaced(tta=tta)
    for found, wanted in zip(ours(pictures), made.replaced(tta=tta)(pictures), strict=True):
        np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=1e-4)
    with pytest.raises(ValueError, match="nms is for detectors, got a classifier"):
        made.export(tmp_path / "nms.onnx", nms=True)


@onnx_extra
def test_few_shot_classifier_of_a_file(tmp_path):
    from jaxvision.inference.exported import ExportedFewShot, exported_predictor

    made = grid.model()
    file = made.export(tmp_path / "model.onnx").path
    support = {"left": [grid.LEFT], "right": [grid.RIGHT]}
    ours = opened(file, made, ExportedFewShot).replaced(support=support)
    image = grid.picture(0, 200, 0, 100)
    wanted = made.replaced(support=support)(image)
    found = ours(image)
    assert found.name == wanted.name == "right"
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=1e-4)
    network = models.embedding("siamese_koch")
    compared = FewShot(network, "siamese", grid.EPISODE, (grid.EPISODE,))
    with pytest.raises(ValueError, match="without the weights by which a Siamese network compares"):
        exported_predictor(file, {}, compared, made.transform, 1, None)


def writer(variant, **fields):
    tokenizer = WordTokenizer.train(["a b c d e"], 9)
    words = tokenizer.vocabulary_size
    model = models.language_model(variant, vocabulary_size=words, **fields)
    variables = model.init(jax.random.key(0), np.zeros((1, 2), np.int32), train=False)
    return TextGenerator(LanguageModelling(model, tokenizer, window=4), variables)


@onnx_extra
@pytest.mark.parametrize(
    ("variant", "fields"),
    [("lstm_lm", dict(features=8)), ("gpt2_tiny", dict(num_layers=1, max_length=8))],
)
def test_language_model_of_a_file(tmp_path, variant, fields):
    made = writer(variant, **fields).export(tmp_path / "model.onnx")
    assert "probabilities differ by at most" in made.agreement
    session = pytest.importorskip("onnxruntime").InferenceSession(made.path)
    tokens = np.array([[2, 3, 1, 4], [5, 0, 2, 2]], np.int32)
    (logits,) = session.run(None, {"tokens": tokens})
    model = writer(variant, **fields)
    expected = model.task.model.apply(model.variables, tokens, train=False)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


@needs("flatbuffers")
def test_language_model_as_stablehlo(tmp_path):
    made = writer("gru_lm", features=8).export(tmp_path / "model.stablehlo")
    assert "probabilities differ by at most" in made.agreement


@onnx_extra
def test_embedding_of_a_file(tmp_path, monkeypatch):
    network = models.embedding("conv4")
    variables = network.init(jax.random.key(0), np.zeros((1, 28, 28, 1)), train=False)
    episode = Episode(2, 1, 1)
    task = FewShot(network, "prototypical", episode, (episode,))
    model = FewShotClassifier(task, variables, CenterCrop((28, 28), 28))
    assert "of their length" in model.export(tmp_path / "model.onnx").agreement
    monkeypatch.setitem(agreement.TOLERANCES, "float32", agreement.Tolerance(0, 0, 0, 0))
    with pytest.raises(ValueError, match="an embedding is off by"):
        model.export(tmp_path / "again.onnx")
    assert not (tmp_path / "again.onnx").exists()


@onnx_extra
def test_segmenter_of_a_file(tmp_path):
    from jaxvision.inference.exported import ExportedSegmenter

    made = striped(side=3)
    file = made.export(tmp_path / "model.onnx").path
    ours = opened(file, made, ExportedSegmenter)
    image = np.kron(np.random.default_rng(0).integers(0, 256, (5, 7, 3)), np.ones((6, 6, 1)))
    image = image.astype(np.uint8)
    np.testing.assert_array_equal(ours(image).label_map, made(image).label_map)
    # What an evaluation at the label maps' own size measures.
    full = ExportedSegmenter(ours._run, task(3, full_size=True), made.transform)
    blank = {"image": np.zeros((1, 32, 48, 3), np.uint8)}
    assert full._predict({}, {}, blank, None).shape == (1, 32, 48, 3)
    with pytest.raises(ValueError, match="images of one size, tile needs its run"):
        ours.replaced(tile=64)


@onnx_extra
def test_a_file_that_deviates_is_not_written(tmp_path, monkeypatch, detector):
    from jaxvision.inference.onnx_graph import convert

    plain = convert._HANDLERS["logistic"]

    def wrong(graph, equation, values):
        return plain(graph, equation, convert._HANDLERS["square"](graph, equation, values))

    monkeypatch.setitem(convert._HANDLERS, "logistic", wrong)
    with pytest.raises(ValueError, match=r"was not written: .* boxes have no counterpart"):
        detector.export(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@needs("flatbuffers")
def test_stablehlo_runs_by_jax_alone(tmp_path, detector):
    file = detector.export(tmp_path / "model.stablehlo").path
    read = jax.export.deserialize(bytearray(file.read_bytes()))
    assert set(read.platforms) >= {"cpu", "cuda", "tpu"}
    images = np.full((2, 64, 64, 3), 9, np.uint8)
    found = read.call(images)
    assert (found["scores"] > 0.5).sum(axis=1).tolist() == [3, 3]
    wanted = jax.device_get(detector.served().apply({"params": {}}, images))
    np.testing.assert_allclose(found["boxes"], wanted["boxes"], atol=1e-3)


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("x.tflite", {}, r"must end in one of .onnx, .stablehlo, .safetensors, or --format"),
        ("folder", {}, r"must end in one of"),
        ("x.onnx", {"format": "tensorrt"}, "format must be one of onnx, .*, got tensorrt"),
        ("x.onnx", {"precision": "int4"}, "precision must be one of float32, .*, got int4"),
        ("x.onnx", {"precision": "int8"}, "int8 needs pictures"),
        ("x.onnx", {"pictures": "photos"}, "pictures are for the precision int8, got float32"),
        ("x.onnx", {"names": "reference"}, "names is no option of the format onnx"),
        ("x.stablehlo", {"precision": "int8"}, "precision is no option of the format stablehlo"),
        ("x.safetensors", {"names": "torch"}, "names must be own or reference, got torch"),
        ("x.safetensors", {}, "only a predictor of a run has a config"),
    ],
)
def test_wrong_options(tmp_path, detector, path, options, message):
    with pytest.raises(ValueError, match=message):
        export(detector, tmp_path / path, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("module", "path", "extra"),
    [
        ("onnxruntime", "x.onnx", "export"),
        ("onnx", "x.onnx", "export"),
        ("flatbuffers", "x.stablehlo", "export"),
        ("tensorflow", "x", "tf"),
    ],
)
def test_missing_packages_are_named(tmp_path, monkeypatch, detector, module, path, extra):
    monkeypatch.setitem(sys.modules, module, None)
    if module == "onnx":
        monkeypatch.setitem(sys.modules, "onnxruntime", json)
    given = {} if "." in path else {"format": "saved_model"}
    with pytest.raises(ImportError, match=rf"{module} is not installed.*jaxvision\[{extra}\]"):
        detector.export(tmp_path / path, **given)


def test_a_file_is_replaced_only_where_that_is_asked(tmp_path, detector):
    (tmp_path / "x.onnx").write_text("mine")
    with pytest.raises(FileExistsError, match="x.onnx exists; give another --out"):
        detector.export(tmp_path / "x.onnx")
    assert (tmp_path / "x.onnx").read_text() == "mine"
