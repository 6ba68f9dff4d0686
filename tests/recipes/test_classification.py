import json

import cv2
import numpy as np
import pytest

from jaxvision.recipes import classification, values


@pytest.fixture(autouse=True)
def quiet(capsys):
    """Descriptions of the data are not of interest here."""


def small(**changes):
    """Sixteen drawn digits in two steps an epoch; names with two underscores for a dot."""
    config = classification.defaults()
    config.update(variant="lenet5_modern", image_size=32, batch_size=8, epochs=10, num_workers=0)
    config.update(mean=(0.1,), std=(0.8,))
    config.data.update(source="digits", val="test", train_images=16, val_images=12)
    config.augment.update(crop="pad", padding=0, flip=0)
    for name, value in changes.items():
        group, _, last = name.rpartition("__")
        (config[group] if group else config)[last] = value
    return config


def info(**changes):
    names = [str(i) for i in range(10)]
    return dict(class_names=names, multi_label=False, class_weights=[], train_images=16) | changes


def as_loaded(config):
    return values.restored(json.loads(json.dumps(config.to_dict())))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        dict(loss__class_weights="inverse", loss__name="focal"),
        dict(variant="vit_ti_16", model=dict(patch=4, depth=1, drop_path=0.1), remat=True),
    ],
)
def test_json_of_config_and_info_gives_the_same_task(changes):
    if "variant" in changes:
        changes = changes | dict(mean=(0.5,) * 3, std=(0.5,) * 3)
    config = small(**changes)
    experiment = classification.experiment(config)
    meta = json.loads(json.dumps(dict(experiment.meta)))
    assert classification.task(values.restored(meta["config"]), meta["info"]) == experiment.task
    again = classification.experiment(config, meta["info"])
    assert (again.task, again.meta) == (experiment.task, experiment.meta)


def test_task_opens_no_file():
    config = small(data__source="image_folder", data__path="/nowhere")
    assert classification.task(config, info()).class_names[-1] == "9"


@pytest.fixture
def opened(monkeypatch):
    """Records which splits are opened, and with which classes."""
    found = []
    original = classification.classification_source

    def source(kind, path, split, **options):
        found.append((split, options.get("classes")))
        return original(kind, path, split, **options)

    monkeypatch.setattr(classification, "classification_source", source)
    return found


@pytest.mark.parametrize(("split", "images"), [("train", 16), ("val", 12), ("test", 4)])
def test_evaluation_opens_its_split_alone(opened, split, images):
    config = small(data__test="val", data__test_images=4)
    known = classification.experiment(config).meta["info"]
    opened.clear()
    batches = list(classification.eval_data(config, known, split))
    named = {"train": "train", "val": "test", "test": "val"}[split]
    assert opened == [(named, tuple(known["class_names"]))]
    assert sum(batch["mask"].sum() for batch in batches) == images


def test_evaluation_is_that_of_the_run():
    config = small(data__test="val", data__test_images=4, eval__batch_size=4)
    experiment = classification.experiment(config)
    assert {name: each.at_end for name, each in experiment.eval_data.items()} == {
        "val": False,
        "test": True,
    }
    for name, each in experiment.eval_data.items():
        again = classification.eval_data(as_loaded(config), experiment.meta["info"], name)
        for one, two in zip(each.data, again, strict=True):
            assert one["image"].shape == (4, 32, 32, 3)
            for key in one:
                np.testing.assert_array_equal(one[key], two[key])


@pytest.mark.parametrize(
    ("changes", "train", "val"),
    [(dict(data__val_share=0.25), 12, 4), (dict(data__fold="2/4"), 12, 4)],
)
def test_parts_of_one_split(changes, train, val):
    config = small(batch_size=4, **changes)
    experiment = classification.experiment(config)
    (batch,) = experiment.eval_data["val"].data
    assert (experiment.meta["info"]["train_images"], batch["mask"].sum()) == (train, val)
    (again,) = classification.eval_data(config, experiment.meta["info"], "val")
    np.testing.assert_array_equal(batch["image"], again["image"])


def test_class_weights_follow_the_frequencies():
    config = small(loss__class_weights="inverse", data__train_images=64)
    experiment = classification.experiment(config)
    weights = np.array(experiment.task.class_weights)
    labels = np.concatenate(
        [b["label"][b["mask"]] for b in classification.eval_data(config, info(), "train")]
    )
    counts = np.bincount(labels, minlength=10)
    shown = counts > 0
    expected = 1 / counts[shown]
    expected *= counts.sum() / (counts[shown] * expected).sum()
    np.testing.assert_allclose(weights[shown], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        (dict(loss__name="focal"), dict(loss_name="focal")),
        (dict(loss__label_smoothing=0.2), dict(label_smoothing=0.2)),
        (dict(loss__auxiliary_weight=0.5), dict(auxiliary_weight=0.5)),
        (dict(augment__mixup=0.3), dict(mixup=0.3)),
        (dict(augment__cutmix=0.3), dict(cutmix=0.3)),
        (dict(augment__erase=0.3), dict(erase=0.3)),
        (dict(mean=(0.2,), std=(0.3,)), dict(mean=(0.2,), std=(0.3,))),
    ],
)
def test_values_reach_the_task(changes, fields):
    task = classification.task(small(**changes), info())
    assert {name: getattr(task, name) for name in fields} == fields


def test_several_labels_have_their_own_loss_and_metric():
    task = classification.task(small(), info(multi_label=True))
    assert task.loss_name == "binary_cross_entropy" and task.multi_label
    assert classification.task(small(), info()).loss_name == "cross_entropy"


def test_every_value_of_augmentation_reaches_the_examples(monkeypatch):
    found = {}

    def example(source, size, **options):
        found.update(size=size, **options)

    monkeypatch.setattr(classification, "classification_train_example", example)
    changes = dict(
        crop="resized",
        crop_area=0.3,
        padding=2,
        flip=0.25,
        operations=3,
        magnitude=5.0,
        deviation=0.5,
        probability=0.75,
        fill=128,
    )
    classification.experiment(
        as_loaded(small(**{f"augment__{name}": value for name, value in changes.items()}))
    )
    assert found == changes | {"size": (32, 32), "crop_area": (0.3, 1.0)}


def test_repeats_of_an_image_in_a_batch():
    stream = classification.experiment(small(augment__repeats=4)).train_data
    index = next(stream.batches(0))["index"].tolist()
    assert sorted(map(index.count, set(index))) == [4, 4]


def test_evaluated_images_are_resized_in_proportion(monkeypatch):
    resized = []
    monkeypatch.setattr(
        classification,
        "classification_eval_example",
        lambda source, size, resize: resized.append((size, resize)),
    )
    for size, ratio in ((224, 8 / 7), (299, 8 / 7), (32, 0.0)):
        config = small(image_size=size, eval__resize=ratio)
        classification.eval_data(config, info(), "val")
        crop = classification.eval_transform(config)
        resized[-1] += (crop.size, crop.resize)
    assert resized == [
        ((224, 224), 256, (224, 224), 256),
        ((299, 299), 342, (299, 299), 342),
        ((32, 32), None, (32, 32), None),
    ]
    with pytest.raises(ValueError, match=r"eval.resize must be in \[0, 16\], got -1"):
        classification.eval_transform(small(eval__resize=-1))


def test_vit_has_positions_for_the_image_size():
    config = small(variant="vit_ti_16", image_size=64, mean=(0.5,) * 3, std=(0.5,) * 3)
    assert classification.task(config, info()).model.backbone.image_size == 64
    config.model = dict(drop_path=0.2)
    config.remat = True
    backbone = classification.task(config, info()).model.backbone
    assert (backbone.drop_path, backbone.remat) == (0.2, True)


def test_unknown_fields_of_a_network_are_errors():
    with pytest.raises(ValueError, match="lenet5_modern does not have all of the fields .*, patch"):
        classification.task(small(model=dict(patch=4)), info())


@pytest.fixture
def voc(tmp_path):
    """Three pictures with a cat and a dog each, in VOC's layout."""
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (tmp_path / name).mkdir(parents=True)
    box = "<bndbox><xmin>3</xmin><ymin>3</ymin><xmax>20</xmax><ymax>20</ymax></bndbox>"
    objects = "".join(f"<object><name>{n}</name>{box}</object>" for n in ("cat", "dog"))
    size = "<size><width>36</width><height>40</height><depth>3</depth></size>"
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"JPEGImages/{i}.jpg"), np.full((40, 36, 3), 80 * i, np.uint8))
        text = f"<annotation>{size}{objects}</annotation>"
        (tmp_path / f"Annotations/{i}.xml").write_text(text)
    for split in ("train", "val"):
        (tmp_path / f"ImageSets/Main/{split}.txt").write_text("0\n1\n2\n")
    return tmp_path


def test_objects_are_several_labels_an_image(voc):
    config = small(
        data__source="objects:voc",
        data__path=str(voc),
        data__val="val",
        data__train_images=0,
        data__val_images=0,
        batch_size=2,
    )
    experiment = classification.experiment(config)
    assert experiment.best.name == "val/mAP"
    assert experiment.task.multi_label
    assert next(experiment.train_data.batches(0))["targets"].shape == (2, 2)
