"""A loaded run predicts what the run's last evaluation predicted, whatever shaped its network."""

import dataclasses
import json
import types

import jax
import numpy as np
import pytest
import toy_translation

import jaxvision
from jaxvision.data.classification import classification_source
from jaxvision.data.detection import detection_source
from jaxvision.inference.classifier import Classifier
from jaxvision.inference.detector import Detector
from jaxvision.inference.load import load
from jaxvision.inference.translator import Translator
from jaxvision.recipes import classification, detection, translation
from jaxvision.train import loop, saved, step_folders
from jaxvision.train.experiment import Report


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly():
    with toy_translation.prepared():
        yield


@pytest.fixture(autouse=True)
def quiet(capsys):
    """What a run prints is not of interest here."""


def changed(config, changes):
    """Sets values; names with two underscores for a dot."""
    for name, value in changes.items():
        group, _, last = name.rpartition("__")
        (config[group] if group else config)[last] = value
    return config


def detection_config(method="yolox", **changes):
    config = detection.defaults(method)
    smallest = {"yolox": "yolox_nano", "retinanet": "retinanet_tiny", "yolov1": "yolov1_nano"}
    config.variant = smallest[method]
    config.update(image_size=32, batch_size=8, epochs=1, num_workers=0)
    config.data.update(source="shapes", train_images=8, val_images=12, test_images=8)
    config.augment.update(mosaic=0, mixup=0, hsv=0)
    config.schedule.warmup_steps = 0
    config.eval.update(score_threshold=0.0, max_detections=20)
    return changed(config, changes)


def classification_config(**changes):
    config = classification.defaults()
    config.update(variant="lenet5_modern", image_size=32, batch_size=8, epochs=1, num_workers=0)
    config.update(mean=(0.1,), std=(0.8,))
    config.data.update(source="digits", val="test", train_images=8, val_images=12)
    config.augment.update(crop="pad", padding=0, flip=0)
    return changed(config, changes)


def noisy(params, state):
    """Moves every variable, so that none has the value that a fresh network has."""
    rng = np.random.default_rng(0)

    def moved(x):
        shift = 0.02 * rng.normal(size=x.shape) * (x == 0)  # of biases and means
        return (x * rng.uniform(0.9, 1.1, x.shape) + shift).astype(x.dtype)

    return jax.tree.map(moved, (params, state))


@dataclasses.dataclass
class Run:
    """A run without steps, whose variables were moved before its only evaluation."""

    workdir: object
    metrics: dict
    evaluation: object


def run(recipe, config, workdir):
    seen = []

    def report(evaluation):
        if evaluation.name == "val":
            seen.append(evaluation)
        return Report()

    experiment = dataclasses.replace(
        recipe.experiment(config), total_steps=0, finish=noisy, report=report
    )
    result = loop.run(experiment, workdir)
    return Run(workdir, result.metrics, seen[-1])


def check_metrics(predictor, found, split="val"):
    expected = {
        name.removeprefix(f"{split}/"): value
        for name, value in found.metrics.items()
        if name.startswith(f"{split}/")
    }
    assert expected
    np.testing.assert_equal(predictor.evaluate(split), expected)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(dict(dtype="bfloat16", data__test="test"), marks=pytest.mark.slow),
        pytest.param(dict(backbone="resnet18", eval__nms_threshold=0.4), marks=pytest.mark.slow),
        pytest.param(
            dict(
                model=dict(
                    depthwise=False, image_mean=(9.0, 8.0, 7.0), image_std=(50.0, 60.0, 70.0)
                ),
                loss__class_weights="inverse",
                eval__rectangular=True,
            ),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            dict(method="retinanet", loss__ratios=(0.5, 1.0), loss__anchor_scale=3.0),
            marks=pytest.mark.slow,
        ),
        dict(method="yolov1", loss__boxes=3),
    ],
    ids=["bfloat16", "backbone", "model", "retinanet", "yolov1"],
)
def test_detector_predicts_what_the_run_did(tmp_path, changes):
    config = detection_config(**changes)
    found = run(detection, config, tmp_path)
    predictor = load(tmp_path)
    assert isinstance(predictor, Detector)
    source = detection_source("shapes", None, "val", length=12, image_size=32)
    results = predictor([source[i].image for i in range(12)], threshold=0.0)
    batch, predictions = found.evaluation.batch, found.evaluation.predictions
    assert sum(map(len, results)) > 20
    for row, index in enumerate(batch["index"]):
        boxes = np.clip(predictions.boxes[row] / batch["scale"][row], 0, 32)
        kept = predictions.valid[row] & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        result = results[index]
        np.testing.assert_array_equal(result.boxes, boxes[kept])
        np.testing.assert_array_equal(result.scores, predictions.scores[row][kept])
        np.testing.assert_array_equal(result.classes, predictions.classes[row][kept])
    check_metrics(predictor, found)
    if config.data.test:
        check_metrics(predictor, found, "test")


@pytest.mark.parametrize(
    "changes",
    [
        dict(),
        dict(mean=(0.2, 0.3, 0.4), std=(0.3, 0.2, 0.1), dtype="bfloat16", variant="resnet20_cifar"),
        pytest.param(
            dict(
                variant="vit_ti_16",
                model=dict(patch=8, depth=1),
                mean=(0.5,) * 3,
                std=(0.5,) * 3,
                remat=True,
                eval__resize=1.5,
            ),
            marks=pytest.mark.slow,
        ),
        dict(data__source="objects:shapes", data__val="val", loss__class_weights="inverse"),
    ],
    ids=["plain", "resnet", "vit", "multi_label"],
)
def test_classifier_predicts_what_the_run_did(tmp_path, changes):
    config = classification_config(**changes)
    found = run(classification, config, tmp_path)
    predictor = load(tmp_path)
    assert isinstance(predictor, Classifier)
    source = classification_source(config.data.source, None, config.data.val, length=12)
    results = predictor([source[i].image for i in range(12)])
    batch = found.evaluation.batch
    for row, index in enumerate(batch["index"]):
        np.testing.assert_array_equal(
            results[index].probabilities, found.evaluation.predictions[row]
        )
        assert results[index].multi_label == ("targets" in batch)
    check_metrics(predictor, found)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(dict(), marks=pytest.mark.slow),
        dict(model__pre_norm=True, model__positions="learned", eval__alpha=1.0),
        pytest.param(dict(dtype="bfloat16", eval__beam_size=1), marks=pytest.mark.slow),
    ],
    ids=["plain", "pre_norm", "bfloat16"],
)
def test_translator_predicts_what_the_run_did(tmp_path, changes):
    for language, lines in (("en", toy_translation.ENGLISH), ("de", toy_translation.GERMAN)):
        for split in ("train", "val"):
            (tmp_path / f"{split}.{language}").write_text("".join(f"{line}\n" for line in lines))
    config = toy_translation.config()
    config.update(epochs=1, num_workers=0, batch_tokens=512)
    config.data.update(path=str(tmp_path), vocabulary_size=320, buckets=1)
    config.eval.update(batch_size=8, buckets=1)
    config = changed(config, changes)
    found = run(translation, config, tmp_path / "run")
    predictor = load(tmp_path / "run")
    assert isinstance(predictor, Translator)
    results = predictor(toy_translation.ENGLISH)
    decode = predictor.task.tokenizer.decode
    batch = found.evaluation.batch
    for row, index in enumerate(batch["index"]):
        if batch["mask"][row]:
            assert results[index].text == decode(found.evaluation.predictions.tokens[row])
    check_metrics(predictor, found)


@pytest.fixture(scope="module")
def classified(tmp_path_factory):
    return run(classification, classification_config(), tmp_path_factory.mktemp("run"))


def test_training_data_and_work_directory_need_not_be_there(classified, tmp_path):
    (tmp_path / "moved").mkdir()
    (classified.workdir / "checkpoints").rename(tmp_path / "moved" / "checkpoints")
    try:
        found = jaxvision.load(tmp_path / "moved")
        assert found(np.zeros((40, 50, 3), np.uint8)).name in map(str, range(10))
    finally:
        (tmp_path / "moved" / "checkpoints").rename(classified.workdir / "checkpoints")


def test_checkpoint_can_be_named_by_its_folder(classified):
    for path in ("", "checkpoints", "checkpoints/0"):
        assert load(classified.workdir / path).origin.step == 0
        assert load(str(classified.workdir / path), step=0).origin.step == 0
    with pytest.raises(ValueError, match="step must be that of .*checkpoints/0 or None, got 3"):
        load(classified.workdir / "checkpoints" / "0", step=3)


def test_loading_writes_nothing(classified):
    def files():
        return {p: p.stat().st_mtime_ns for p in classified.workdir.rglob("*")}

    before = files()
    load(classified.workdir)(np.zeros((40, 50, 3), np.uint8))
    assert files() == before


def test_wrong_step_lists_those_there_are(classified):
    with pytest.raises(ValueError, match=r"step must be one of 0, .* got 7"):
        load(classified.workdir, step=7)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none", "expected the work directory of a run, got .*none, nothing there"),
        ("file.txt", r"expected the work directory of a run, got .*file\.txt, a file"),
        ("empty", "empty/checkpoints holds no checkpoints; expected the work directory of a run"),
    ],
)
def test_what_is_not_a_run(tmp_path, path, message):
    (tmp_path / "file.txt").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=message):
        load(tmp_path / path)


def with_meta(classified, monkeypatch, **changes):
    """Lets the checkpoints of a run hold another meta; None removes a key."""
    original = step_folders.read_meta

    def read_meta(folder):
        return {k: v for k, v in (original(folder) | changes).items() if v is not None}

    monkeypatch.setattr(step_folders, "read_meta", read_meta)
    return classified.workdir


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(layout=99), "written by a newer version of jaxvision .layout 99"),
        (dict(layout=None), "written by an older version of jaxvision"),
        (dict(recipe=None), "not trained by a recipe: its checkpoints hold no recipe"),
        (dict(recipe="os"), "trained by the recipe 'os', which is not in jaxvision.recipes"),
        (dict(recipe="values"), "'values', which is not in jaxvision.recipes; give its module"),
        (dict(config={"seed": 0}), "by another version of the recipe classification: "),
        (dict(info={}), "by another version of the recipe classification: multi_label"),
    ],
)
def test_checkpoint_of_something_else_is_one_line(classified, monkeypatch, changes, message):
    workdir = with_meta(classified, monkeypatch, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        load(workdir)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["name", "shape"])
def test_parameters_of_another_version_are_one_line(classified, change):
    predictor = load(classified.workdir)
    params = dict(predictor.params)
    head = params.pop("head")
    if change == "name":
        params["classifier"] = head
    else:
        params["head"] = jax.tree.map(lambda x: x[..., :3], head)
    predictor.params = params
    with pytest.raises(ValueError, match="not those of the network .*; they are of ano") as error:
        predictor(np.zeros((28, 28, 3), np.uint8))
    assert "\n" not in str(error.value)


def test_recipe_of_the_user_comes_as_a_module_alone(classified, monkeypatch):
    mine = types.ModuleType("my_package.mine")
    for name in ("task", "eval_transform", "eval_data"):
        setattr(mine, name, getattr(classification, name))
    workdir = with_meta(classified, monkeypatch, recipe="mine")
    with pytest.raises(ValueError, match="'mine', which is not in jaxvision.recipes"):
        load(workdir)
    assert load(workdir, recipe=mine).origin.recipe is mine
    with pytest.raises(ValueError, match="trained by the recipe mine, got recipe=classification"):
        load(workdir, recipe=classification)


def test_task_without_a_predictor(classified, monkeypatch):
    mine = types.ModuleType("mine")
    mine.task = lambda config, info: object()
    workdir = with_meta(classified, monkeypatch, recipe="mine")
    with pytest.raises(ValueError, match="task must be one of .*DenseDetection, .* got object"):
        load(workdir, recipe=mine)


def test_unknown_split_and_data_that_is_gone(classified):
    predictor = load(classified.workdir)
    with pytest.raises(ValueError, match="split must be one of train, val, test, got 'train2017'"):
        predictor.evaluate("train2017")
    with pytest.raises(ValueError, match=r"data\.test must name a split"):
        predictor.evaluate("test")


def test_meta_alone_is_read_for_the_task(classified):
    step, meta = saved.read_meta(classified.workdir)
    assert step == 0
    assert json.loads(json.dumps(meta)) == meta
    assert set(meta) >= {"recipe", "config", "info", "versions"}
