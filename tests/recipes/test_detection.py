import itertools
import json

import fill
import numpy as np
import pytest
from network import filled

from jaxvision.losses.detection.yolox import YOLOXMethod
from jaxvision.pretrained import transfer
from jaxvision.recipes import detection, values
from jaxvision.train import sharding
from jaxvision.train.state import state_shapes


@pytest.fixture(autouse=True)
def quiet(capsys):
    """Descriptions of the data are not of interest here."""


def small(method="yolox", **changes):
    """Sixteen drawn pictures in two steps an epoch; names with two underscores for a dot."""
    config = detection.defaults(method)
    config.variant = {"yolox": "yolox_nano", "retinanet": "retinanet_tiny"}[method]
    config.update(image_size=32, batch_size=8, epochs=10, num_workers=0)
    config.data.update(source="shapes", train_images=16, val_images=8)
    config.augment.update(mosaic=0, mixup=0, hsv=0)
    for name, value in changes.items():
        group, _, last = name.rpartition("__")
        (config[group] if group else config)[last] = value
    return config


INFO = dict(class_names=["cat", "dog"], class_weights=[], train_images=16)


def as_loaded(config):
    return values.restored(json.loads(json.dumps(config.to_dict())))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        dict(loss__class_weights="effective", loss__center_radius=2.5, eval__nms_threshold=0.5),
        dict(backbone="resnet18", augment__multi_scale=(32, 64)),
        dict(method="retinanet", variant="retinanet_resnet18_fpn", loss__ratios=(0.5, 1.0)),
    ],
)
def test_json_of_config_and_info_gives_the_same_task(changes):
    changes = dict(changes)
    config = small(changes.pop("method", "yolox"), **changes)
    experiment = detection.experiment(config)
    meta = json.loads(json.dumps(dict(experiment.meta)))
    assert detection.task(values.restored(meta["config"]), meta["info"]) == experiment.task
    # A run that continues has the same.
    again = detection.experiment(config, meta["info"])
    assert (again.task, again.meta) == (experiment.task, experiment.meta)


def test_task_opens_no_file():
    config = small(data__source="coco", data__path="/nowhere", data__train="none")
    assert detection.task(config, INFO).class_names == ("cat", "dog")


@pytest.fixture
def opened(monkeypatch):
    """Records which splits are opened, and with which classes."""
    found = []
    original = detection.detection_source

    def source(kind, path, split, **options):
        found.append((split, options.get("classes")))
        return original(kind, path, split, **options)

    monkeypatch.setattr(detection, "detection_source", source)
    return found


SHAPES = ("circle", "square", "triangle", "star")


@pytest.mark.parametrize(("split", "images"), [("train", 16), ("val", 8), ("test", 4)])
def test_evaluation_opens_its_split_alone(opened, split, images):
    config = small(data__test="third", data__test_images=4)
    info = detection.experiment(config).meta["info"]
    opened.clear()
    batches = list(detection.eval_data(config, info, split))
    named = {"train": "train", "val": "val", "test": "third"}[split]
    assert opened == [(named, tuple(info["class_names"]))]
    assert sum(batch["mask"].sum() for batch in batches) == images


def test_evaluation_is_that_of_the_run():
    config = small(data__test="third", data__test_images=4, eval__batch_size=4)
    experiment = detection.experiment(config)
    assert {name: each.at_end for name, each in experiment.eval_data.items()} == {
        "val": False,
        "test": True,
    }
    for name, each in experiment.eval_data.items():
        again = detection.eval_data(as_loaded(config), experiment.meta["info"], name)
        for one, two in zip(each.data, again, strict=True):
            assert one["image"].shape == (4, 32, 32, 3)
            for key in one:
                np.testing.assert_array_equal(one[key], two[key])


def test_parts_of_one_split():
    config = small(data__val_share=0.25)
    experiment = detection.experiment(config)
    (batch,) = experiment.eval_data["val"].data
    assert batch["mask"].sum() == 4 and experiment.meta["info"]["train_images"] == 12
    (again,) = detection.eval_data(config, experiment.meta["info"], "val")
    np.testing.assert_array_equal(batch["image"], again["image"])


def test_unknown_splits_are_errors():
    with pytest.raises(ValueError, match="split must be train, val or test, got dev"):
        detection.eval_data(small(), INFO, "dev")
    with pytest.raises(ValueError, match="data.test must name a split"):
        detection.eval_data(small(), INFO, "test")


def test_another_number_of_images_is_another_run():
    info = detection.experiment(small()).meta["info"]
    with pytest.raises(ValueError, match="has 15 images, and the run was started with 16"):
        detection.experiment(small(data__train_images=15), info)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        (dict(loss__center_radius=2.5), dict(center_radius=2.5)),
        (dict(loss__candidates="box_or_center"), dict(candidates="box_or_center")),
        (dict(loss__iou_weight=2.0), dict(iou_weight=2.0)),
        (dict(loss__top_k=5), dict(top_k=5)),
        (dict(loss__box_loss="plain_iou"), dict(box_loss="plain_iou")),
        (dict(loss__box_weight=1.0), dict(box_weight=1.0)),
        (dict(augment__no_aug=0.5), dict(l1_from_step=10)),
        (dict(augment__no_aug=0.0, epochs=3), dict(l1_from_step=6)),
    ],
)
def test_values_of_yolox_reach_its_method(changes, fields):
    method = detection.task(small(**dict(augment__no_aug=0.1) | changes), INFO).method
    assert method == YOLOXMethod(**dict(l1_from_step=18) | fields)


@pytest.mark.parametrize(
    "changes",
    [
        dict(anchor_scale=2.0),
        dict(scales_per_octave=2),
        dict(ratios=(1.0, 2.0)),
        dict(foreground_iou=0.6),
        dict(background_iou=0.3),
        dict(low_quality=False),
        dict(alpha=0.5),
        dict(gamma=1.0),
        dict(box_weight=2.0),
        dict(pre_nms=100),
    ],
)
def test_values_of_retinanet_reach_its_method(changes):
    (name, value), *_ = changes.items()
    task = detection.task(small("retinanet", **{f"loss__{name}": value}), INFO)
    assert getattr(task.method, name) == value
    assert task.model.anchors_per_cell == task.method.anchors_per_cell


def test_values_of_evaluation_reach_the_task():
    changes = dict(
        score_threshold=0.1,
        nms_threshold=0.4,
        max_detections=50,
        max_candidates=200,
        class_aware=False,
    )
    task = detection.task(small(**{f"eval__{name}": x for name, x in changes.items()}), INFO)
    assert {name: getattr(task, name) for name in changes} == changes


def test_values_of_the_run_reach_the_experiment():
    config = small(
        patience=3,
        freeze="backbone/.*",
        optimizer__clip_norm=1.0,
        optimizer__name="adamw",
        schedule__name="constant",
        schedule__warmup=0.0,
        ema__decay=0.0,
        optimizer__learning_rate=0.64,
    )
    experiment = detection.experiment(config)
    assert (experiment.patience, experiment.freeze) == (3, ("backbone/.*",))
    assert experiment.ema is None
    assert float(experiment.learning_rate(0)) == pytest.approx(0.08)  # 8 of 64 images


def test_another_backbone_takes_normalised_images():
    assert detection.task(small(), INFO).model.image_mean == (0.0, 0.0, 0.0)
    model = detection.task(small(backbone="resnet18"), INFO).model
    assert model.image_mean == (123.675, 116.28, 103.53)
    config = small(backbone="resnet18", model=dict(image_mean=(1.0, 2.0, 3.0)))
    assert detection.task(as_loaded(config), INFO).model.image_mean == (1.0, 2.0, 3.0)


@pytest.fixture
def examples(monkeypatch):
    """Records what training examples are made with."""
    found = []

    def example(source, size, max_objects, **options):
        found.append(dict(size=size, max_objects=max_objects, **options))
        return lambda index, rng: {}

    monkeypatch.setattr(detection, "detection_train_example", example)
    return found


def test_every_value_of_augmentation_reaches_the_examples(examples):
    changes = {
        name: value + 0.125 if isinstance(value, float) else value
        for name, value in small().augment.items()
        if name not in ("no_aug", "multi_scale")
    }
    changes["flip"], changes["cutout"], changes["max_reduction"] = 0.25, 2, 1
    config = small(**{f"augment__{name}": value for name, value in changes.items()})
    config.data.max_objects, config.short_side = 7, 24
    detection.experiment(as_loaded(config))
    size = dict(size=(32, 32), short_side=24, max_objects=7, no_aug=False)
    size |= dict(max_proposals=0, masks=False)
    assert examples[0] == changes | size | {"mosaic_scale": (0.1, 2.0)}


def test_last_phase_begins_at_its_step(examples):
    schedule = detection._example_at(small(), None, 16)
    for step in (0, 15, 16, 17):
        schedule(step)
    assert [each["no_aug"] for each in examples] == [False, True], "each is made once"


def test_mosaic_ends_with_the_last_phase():
    def first_batches(**changes):
        config = small(epochs=5, augment__no_aug=0.2, augment__flip=0.0, **changes)
        stream = detection.experiment(config).train_data
        return [next(stream.batches(step))["image"] for step in (7, 8)]

    without, mixed = first_batches(), first_batches(augment__mosaic=1.0, augment__mixup=1.0)
    assert (without[0] != mixed[0]).any()
    np.testing.assert_array_equal(without[1], mixed[1])


def test_multi_scale_changes_the_size_of_batches_every_ten_steps():
    stream = detection.experiment(
        small(epochs=20, augment__multi_scale=(32, 64), seed=2)
    ).train_data
    shapes = [batch["image"].shape for batch in itertools.islice(stream.batches(0), 40)]
    assert set(shapes) == {(8, 32, 32, 3), (8, 64, 64, 3)}
    for start in range(0, 40, 10):
        assert len(set(shapes[start : start + 10])) == 1
    # A resumed run continues with the sizes of its steps.
    assert next(stream.batches(23))["image"].shape == shapes[23]


def test_class_weights():
    assert detection.experiment(small()).task.method.class_weights is None
    weights = detection.experiment(small(loss__class_weights="effective")).task.method.class_weights
    assert len(weights) == 4 and all(0.3 < weight < 3 for weight in weights)
    with pytest.raises(ValueError, match="must be one of inverse, effective, got rare"):
        detection.experiment(small(loss__class_weights="rare"))


def test_rare_classes_can_be_drawn_more_often():
    rare = None
    shares = {}
    for rule in ("", "inverse"):
        config = small(data__balance=rule, data__train_images=64, batch_size=64)
        stream = detection.experiment(config).train_data
        drawn = [next(stream.batches(step)) for step in range(4)]
        classes = np.concatenate([b["classes"][b["valid"]] for b in drawn])
        share = np.bincount(classes, minlength=4) / len(classes)
        rare = int(share.argmin()) if rare is None else rare
        shares[rule] = share[rare]
    assert shares["inverse"] > shares[""]


@pytest.mark.parametrize("rectangular", [False, True])
def test_rectangular_evaluation(rectangular):
    (batch,) = detection.experiment(small(eval__rectangular=rectangular)).eval_data["val"].data
    assert batch["image"].shape == (8, 32, 32, 3) and batch["mask"].all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(image_size=630), "image_size must be a multiple of 32, got 630"),
        (
            dict(augment__multi_scale=(64, 70)),
            "augment.multi_scale must be a multiple of 32, got 70",
        ),
        (dict(data__num_classes=5), "data.num_classes must be 0 or 4"),
        (dict(data__train_images=-1), "data.train_images must be at least 0, got -1"),
        (dict(augment__no_aug=-0.1), r"augment.no_aug must be in \[0, 1\], got -0.1"),
    ],
)
def test_values_out_of_range_are_errors_with_their_name(changes, words):
    with pytest.raises(ValueError, match=words):
        detection.experiment(small(**changes))


def test_unknown_method_is_an_error():
    with pytest.raises(ValueError, match="method must be one of yolox, retinanet, .*, got fcos"):
        detection.defaults("fcos")


def test_starts_from_weights_of_other_classes(tmp_path):
    weights = fill.fill_state(fill.load_case("yolox_nano")["spec"])
    np.savez(tmp_path / "nano.npz", **weights)
    # Variants may be named without the method.
    experiment = detection.experiment(small(variant="nano", weights=str(tmp_path / "nano.npz")))
    batch = next(experiment.train_data.batches(0))
    shapes = state_shapes(experiment, batch, sharding.data_mesh())
    fresh = filled(shapes.variables)  # quicker than compiling what draws them
    (source,) = experiment.init_from
    assert not source.strict
    params = transfer(source.variables, fresh).variables["params"]
    name = "head.stems.0.conv.weight"
    np.testing.assert_array_equal(
        params["head"]["stride8_stem"]["conv"]["kernel"], weights[name].transpose(2, 3, 1, 0)
    )
    np.testing.assert_array_equal(
        params["head"]["stride8_class"]["kernel"],
        fresh["params"]["head"]["stride8_class"]["kernel"],
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(backbone="resnet18"), "backbone must be empty for ssd, which has its own"),
        (dict(eval__rectangular=True), "eval.rectangular must be False for ssd, got True"),
        (dict(image_size=66), "image_size must be a multiple of 4, got 66"),
    ],
)
def test_what_ssd_does_not_take(changes, message):
    config = detection.defaults("ssd")
    config.update(variant="ssd_tiny", image_size=32, batch_size=8, num_workers=0)
    config.data.update(source="shapes", train_images=8, val_images=8)
    for name, value in changes.items():
        group, _, last = name.rpartition("__")
        (config[group] if group else config)[last] = value
    with pytest.raises(ValueError, match=message):
        detection.experiment(config)
