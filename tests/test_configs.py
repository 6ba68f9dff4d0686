"""Every config builds and takes a step."""

import dataclasses
import itertools
import pathlib
from types import SimpleNamespace

import cv2
import fill
import jax
import numpy as np
import pytest

from jaxvision import models
from jaxvision.models.detection.yolox import VARIANTS
from jaxvision.train import loop, sharding, workdir
from jaxvision.train.errors import TrainingError
from jaxvision.train.state import create_state
from jaxvision.train.step import make_step
from train import load

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.py"))
# Names that every config has, so that a flag learned with one works with all.
COMMON = (
    "variant",
    "epochs",
    "seed",
    "dtype",
    "log_every",
    "eval_every",
    "save_every",
    "num_workers",
)
# And those that a config of images or one of text has besides.
BATCHES = ({"image_size", "batch_size"}, {"batch_tokens"})
COMMON_DATA = ("source", "path", "train", "val")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_has_the_common_names_and_plain_values(path):
    config = load(path).get_config()
    assert set(COMMON) <= set(config)
    assert any(names <= set(config) for names in BATCHES)
    assert set(COMMON_DATA) <= set(config.data)
    for value in (*config.values(), *config.data.values()):
        assert isinstance(value, (int, float, str, bool, tuple)) or hasattr(value, "items")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_docstring_names_paper_and_command(path):
    text = load(path).__doc__
    # LeNet-5 is older than arXiv.
    assert "https://arxiv.org/abs/" in text or "yann.lecun.com" in text
    assert f"python train.py --config configs/{path.name}" in text


def step_once(experiment):
    batch = next(experiment.train_data.batches(0))
    mesh = sharding.data_mesh(1)
    state = create_state(
        experiment.task,
        experiment.optimizer,
        batch,
        seed=0,
        ema=experiment.ema is not None,
        mesh=mesh,
    )
    step = jax.jit(make_step(experiment.task, experiment.optimizer, experiment.ema))
    state, logs = step(state, sharding.put_batch(batch, mesh), jax.random.key(0))
    return state, logs


def translation_config(folder, argument=""):
    for split in ("train", "val"):
        for language, sentence in (("en", "two dogs run"), ("de", "zwei Hunde rennen")):
            text = "".join(f"{sentence} {'.' * n}\n" for n in range(12))
            (folder / f"{split}.{language}").write_text(text)
    module = load(ROOT / "configs/transformer_multi30k.py")
    config = module.get_config(argument)
    config.data.path, config.data.vocabulary_size = str(folder), 280
    config.batch_tokens = 512
    return module, config


def test_transformer_takes_a_step(capsys, tmp_path):
    module, config = translation_config(tmp_path)
    experiment = module.build(config)
    # Two layers of the eight compile in a quarter of the time.
    model = experiment.task.model.clone(num_layers=(1, 1))
    task = dataclasses.replace(experiment.task, model=model)
    state, logs = step_once(dataclasses.replace(experiment, task=task))
    assert int(state.step) == 1
    assert np.isfinite(float(logs["loss"]))
    assert '"</s>"' in experiment.files["tokenizer.json"]
    assert experiment.image_name(0) == "train.en:1: two dogs run"
    assert "BLEU: nrefs:1|case:mixed" in capsys.readouterr().out


def test_transformer_recipe():
    get_config = load(ROOT / "configs/transformer_multi30k.py").get_config
    config = get_config("de-en,base")
    assert (config.variant, config.dropout, config.warm_up_steps) == ("base", 0.1, 4000)
    assert (config.data.from_language, config.data.to_language) == ("de", "en")
    assert config.learning_rate_factor == 1.0
    assert get_config().variant == "tiny" and get_config().data.to_language == "de"
    assert get_config("short").batch_tokens < get_config().batch_tokens
    with pytest.raises(ValueError, match="en-de, de-en, short, got fr-en"):
        get_config("fr-en")


def test_transformer_options_reach_model_data_and_search(capsys, tmp_path):
    module, config = translation_config(tmp_path, "de-en")
    config.attention_dropout = config.relu_dropout = 0.25
    config.pre_norm, config.positions, config.beam_size, config.alpha = True, "learned", 7, 0.9
    config.epochs, config.average, config.data.max_length = 20, 0.25, 9
    experiment = module.build(config)
    task, model = experiment.task, experiment.task.model
    assert (model.attention_dropout_rate, model.relu_dropout_rate) == (0.25, 0.25)
    assert (model.pre_norm, model.positions, model.dropout_rate) == (True, "learned", 0.3)
    assert (task.beam_size, task.alpha, task.references[0]) == (7, 0.9, "two dogs run")
    assert 0 < experiment.train_data.too_long < 12
    assert experiment.total_steps == 20 * experiment.train_data.steps_per_epoch
    assert [float(experiment.ema(jax.numpy.int32(n))) for n in (15, 16)] == [0.0, 0.5]
    # What one run has learned serves another.
    file = tmp_path / "tokenizer.json"
    file.write_text(experiment.files["tokenizer.json"])
    config.data.tokenizer, config.data.vocabulary_size = str(file), 10_000
    assert module.build(config).task.model.vocabulary_size == model.vocabulary_size


def test_transformer_is_not_continued_with_another_vocabulary(capsys, tmp_path):
    module, config = translation_config(tmp_path)
    folder = tmp_path / "run"
    workdir.keep_files(folder, module.build(config).files)
    for file in tmp_path.glob("train.*"):
        file.write_text(file.read_text() + "yellow\n" * 9)
    other = module.build(config)
    with pytest.raises(
        TrainingError, match=r"run/tokenizer\.json belongs to the checkpoints there"
    ):
        loop.run(other, folder)
    assert [file.name for file in folder.iterdir()] == ["tokenizer.json"]
    # The vocabulary of the run serves other data, too.
    config.data.tokenizer = str(folder / "tokenizer.json")
    workdir.keep_files(folder, module.build(config).files)


def test_transformer_packs_cuts_and_leaves_out(capsys, tmp_path):
    module, config = translation_config(tmp_path)
    file = tmp_path / "train.de"
    file.write_text(file.read_text().replace("zwei Hunde rennen ...\n", "\n"))
    config.data.max_length, config.data.packing = 9, True

    with pytest.raises(ValueError, match=r"train\.de:4: expected a sentence"):
        module.build(config)
    config.data.empty_lines, config.data.long_sentences = "leave_out", "cut"
    train = module.build(config).train_data
    output = capsys.readouterr().out
    assert "left out for one of 1 faults" in output and "train.de:4" in output
    assert "56 x 9+9 tokens" in output and "pairs cut, too long" in output
    batch = next(train.batches(0))
    assert batch["source_segments"].shape == batch["source"].shape == (56, 9)
    assert (batch["index"] >= 0).sum() == 11

    config.data.long_sentences = "refuse"
    with pytest.raises(ValueError, match=r"train\.en:\d+: expected at most max_length 9 tokens"):
        module.build(config)
    config.data.empty_lines = "skip"
    with pytest.raises(ValueError, match="data.empty_lines must be refuse or leave_out, got skip"):
        module.build(config)


def yolox_config(argument=""):
    module = load(ROOT / "configs/yolox.py")
    config = module.get_config(argument)
    config.image_size = 32
    config.batch_size = 8
    config.data.train_images, config.data.val_images = 16, 8
    return module, config


def test_yolox_takes_a_step(capsys):
    module, config = yolox_config("nano")
    state, logs = step_once(module.build(config))
    assert int(state.step) == 1
    assert np.isfinite(float(logs["loss"]))


def test_yolox_takes_a_step_over_another_backbone(capsys):
    module, config = yolox_config("nano")
    config.backbone = "resnet50"
    experiment = module.build(config)
    state, logs = step_once(experiment)
    assert int(state.step) == 1 and np.isfinite(float(logs["loss"]))
    assert set(state.params) == {"backbone", "head", "neck"}
    assert state.params["backbone"]["stem"]["conv"]["kernel"].shape == (7, 7, 3, 64)


def test_yolox_recipe_for_coco():
    config = load(ROOT / "configs/yolox.py").get_config("s,coco")
    assert (config.variant, config.data.source, config.image_size) == ("s", "coco", 640)
    assert (config.epochs, config.batch_size, config.data.max_objects) == (300, 64, 120)
    assert config.learning_rate * config.batch_size == 0.01
    assert config.warm_up * config.epochs == 5
    assert config.plain * config.epochs == 15
    assert (config.momentum, config.weight_decay, config.ema_decay) == (0.9, 5e-4, 0.9998)


# What the published weights were trained with, beside what the recipe has of the present code.
PAPER = dict(
    center_radius=(2.5, 1.5),
    candidates=("box_or_center", "center"),
    affine_centered=(True, False),
    filter_boxes=(True, False),
    hsv_gain=(True, False),
    min_side=(8.0, 1.0),
    multi_scale=((448, 512, 576, 640, 704, 768, 832), (480, 544, 608, 672, 736, 800)),
)


@pytest.mark.parametrize("argument", ["s,coco,paper", "paper,s,coco"])
def test_yolox_paper_changes_what_the_weights_were_trained_with(argument):
    get_config = load(ROOT / "configs/yolox.py").get_config
    paper, present = get_config(argument).to_dict(), get_config("s,coco").to_dict()
    changed = {name: (paper[name], present[name]) for name in paper if paper[name] != present[name]}
    assert changed == PAPER


def samples(monkeypatch, module, config):
    """Builds; returns what draws training images before and in the plain phase, and the task."""
    streams = []

    def keep(sample, length, *, schedule, **options):
        streams.append((schedule(0), schedule(10**9)))

    monkeypatch.setattr(module, "TrainStream", keep)
    task = module.build(config).task
    return *streams[0], task


def test_yolox_paper_reaches_data_and_task(monkeypatch, capsys):
    mixed, plain, task = samples(monkeypatch, *yolox_config("nano,paper"))
    assert (task.center_radius, task.candidates) == (2.5, "box_or_center")
    assert mixed.affine.centered and mixed.affine.filter_boxes
    for sample in (mixed, plain):
        assert (sample.hsv_gain, sample.min_side) == (True, 8.0)
    mixed, plain, _ = samples(monkeypatch, *yolox_config("nano"))
    assert not mixed.affine.centered and not mixed.affine.filter_boxes
    for sample in (mixed, plain):
        assert (sample.hsv_gain, sample.min_side) == (False, 1.0)


def test_yolox_transforms_are_off_until_they_are_turned_on(monkeypatch, capsys):
    module, config = yolox_config("nano")
    for sample in samples(monkeypatch, module, config)[:2]:
        assert sample.crop is None and sample.cutmix == 0 and sample.extra == ()
        assert sample.max_reduction == 8
    config.cutmix = config.vertical_flip = config.erasing = config.jitter = 0.5
    config.crop, config.cutout, config.max_reduction = 0.8, 2, 1
    mixed, plain, _ = samples(monkeypatch, module, config)
    assert mixed.cutmix == 0.5 and plain.cutmix == 0, "it ends with mosaic and mixup"
    assert mixed.max_reduction == 1
    for sample in (mixed, plain):
        assert sample.crop.probability == 0.8
        flip, jitter, erasing, cutout = sample.extra
        assert flip.probability == erasing.probability == 0.5
        assert (jitter.brightness, jitter.contrast, jitter.saturation) == (0.5, 0.5, 0.5)
        assert (cutout.squares, cutout.side) == (2, 4)
    images = mixed(0, np.random.default_rng(0))["image"]
    assert images.shape == (32, 32, 3)


def test_yolox_class_weights(capsys):
    module, config = yolox_config("nano")
    assert module.build(config).task.class_weights is None
    config.class_weights = "effective"
    weights = module.build(config).task.class_weights
    assert len(weights) == 4 and all(0.3 < weight < 3 for weight in weights)
    config.class_weights = "rare"
    with pytest.raises(ValueError, match="must be one of inverse, effective, got rare"):
        module.build(config)


@pytest.mark.parametrize("argument", ["voc,nano", "nano,voc"])
def test_yolox_argument_goes_in_any_order(argument):
    config = load(ROOT / "configs/yolox.py").get_config(argument)
    assert (config.variant, config.data.source, config.image_size) == ("nano", "voc", 416)


@pytest.mark.parametrize("variant", VARIANTS)
def test_yolox_takes_every_variant(variant):
    config = load(ROOT / "configs/yolox.py").get_config(variant.removeprefix("yolox_"))
    assert config.variant == variant.removeprefix("yolox_")


def test_yolox_augmentation_of_every_variant():
    get_config = load(ROOT / "configs/yolox.py").get_config
    for variant, expected in {
        "s": (1.0, 1.0, (0.1, 2.0)),
        "x": (1.0, 1.0, (0.1, 2.0)),
        "tiny": (1.0, 0.0, (0.5, 1.5)),
        "nano": (0.5, 0.0, (0.5, 1.5)),
    }.items():
        config = get_config(f"{variant},coco")
        assert (config.mosaic, config.mixup, config.mosaic_scale) == expected
        assert (config.degrees, config.translate, config.shear) == (10.0, 0.1, 2.0)


def test_only_drawn_shapes_are_neither_mosaicked_nor_mixed():
    get_config = load(ROOT / "configs/yolox.py").get_config
    shapes, own = get_config("s,shapes"), get_config("s,voc")
    assert (shapes.mosaic, shapes.mixup, shapes.hsv) == (0.0, 0.0, 0.0)
    assert (own.mosaic, own.mixup, own.hsv) == (1.0, 1.0, 1.0)


def test_mosaic_ends_with_the_plain_phase(capsys):
    module, config = yolox_config("nano")
    config.epochs, config.plain, config.flip = 5, 0.2, 0.0
    plain = module.build(config).train_data
    config.mosaic = config.mixup = 1.0
    mixed = module.build(config).train_data
    for step, same in [(7, False), (8, True)]:
        one, two = (next(stream.batches(step))["image"] for stream in (plain, mixed))
        assert (one == two).all() == same


def test_rare_classes_can_be_drawn_more_often(capsys):
    module, config = yolox_config("nano")
    config.data.train_images, config.batch_size = 64, 64
    rare = None
    counts = {}
    for rule in ("", "inverse"):
        config.balance = rule
        experiment = module.build(config)
        drawn = [next(experiment.train_data.batches(step)) for step in range(4)]
        classes = np.concatenate([b["classes"][b["valid"]] for b in drawn])
        share = np.bincount(classes, minlength=4) / len(classes)
        rare = int(share.argmin()) if rare is None else rare
        counts[rule] = share[rare]
    assert counts["inverse"] > counts[""]


def test_multi_scale_changes_the_size_of_batches_every_ten_steps(capsys):
    module, config = yolox_config("nano")
    config.epochs, config.multi_scale, config.seed = 20, (32, 64), 2
    stream = module.build(config).train_data
    shapes = [batch["image"].shape for batch in itertools.islice(stream.batches(0), 40)]
    assert set(shapes) == {(8, 32, 32, 3), (8, 64, 64, 3)}
    for start in range(0, 40, 10):
        assert len(set(shapes[start : start + 10])) == 1
    # A resumed run continues with the sizes of its steps.
    assert next(stream.batches(23))["image"].shape == shapes[23]


def test_sizes_of_the_recipe():
    get_config = load(ROOT / "configs/yolox.py").get_config
    # The authors': 480 to 800, and 320 to 640 for nano and tiny, around 640 and 480.
    assert get_config("s,coco").multi_scale == (480, 544, 608, 672, 736, 800)
    assert get_config("tiny,coco").multi_scale == (320, 384, 448, 512, 576, 640)
    assert get_config("tiny,voc").multi_scale == ()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("image_size", 630, "image_size must be a multiple of 32, got 630"),
        ("multi_scale", (320, 330), "multi_scale must be a multiple of 32, got 330"),
    ],
)
def test_yolox_refuses_sizes_that_its_strides_do_not_divide(name, value, words):
    module, config = yolox_config()
    config[name] = value
    with pytest.raises(ValueError, match=words):
        module.build(config)


@pytest.mark.parametrize("rectangular", [False, True])
def test_rectangular_evaluation(rectangular, capsys):
    module, config = yolox_config("nano")
    config.rectangular = rectangular
    (batch,) = module.build(config).eval_data
    assert batch["image"].shape == (8, 32, 32, 3) and batch["mask"].all()


def test_l1_enters_with_the_plain_phase(capsys):
    module, config = yolox_config("nano")
    config.epochs = 40
    config.plain = 0.25
    experiment = module.build(config)
    assert experiment.total_steps == 80
    assert experiment.task.l1_from_step == 60


def test_yolox_starts_from_weights_of_other_classes(capsys, tmp_path):
    weights = fill.fill_state(fill.load_case("yolox_nano")["spec"])
    np.savez(tmp_path / "nano.npz", **weights)
    module, config = yolox_config("nano")
    config.weights = str(tmp_path / "nano.npz")
    experiment = module.build(config)
    batch = next(experiment.train_data.batches(0))
    fresh = create_state(
        experiment.task,
        experiment.optimizer,
        batch,
        seed=0,
        ema=True,
        mesh=sharding.data_mesh(),
    )
    state = fresh.start_from(experiment.start_from)
    name = "head.stems.0.conv.weight"
    for params in (state.params, state.ema.params):
        np.testing.assert_array_equal(
            params["head"]["stride8_stem"]["conv"]["kernel"], weights[name].transpose(2, 3, 1, 0)
        )
        np.testing.assert_array_equal(
            params["head"]["stride8_class"]["kernel"],
            fresh.params["head"]["stride8_class"]["kernel"],
        )
    assert "fresh: head/stride16_class/bias" in capsys.readouterr().out


@pytest.fixture
def image_folder(tmp_path):
    """Two classes of eight small pictures in train, four in val and test."""
    for split, count in (("train", 8), ("val", 4), ("test", 4)):
        for label in ("cat", "dog"):
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = np.random.default_rng(i).integers(0, 255, (40, 36, 3), np.uint8)
                cv2.imwrite(str(folder / f"{i}.jpg"), pixels)
    return tmp_path


def small_classifier(name, argument, folder, **changes):
    module = load(ROOT / "configs" / f"{name}.py")
    config = module.get_config(argument)
    config.batch_size, config.num_workers, config.epochs = 8, 0, 10
    config.data.path = str(folder)
    for key, value in changes.items():
        setattr(config, key, value)
    return module.build(config), config


@pytest.mark.parametrize(
    ("name", "argument", "changes"),
    [
        ("resnet_cifar10", "", {}),
        ("classify_folder", "resnet20_cifar", dict(image_size=32, mixup=0.2, erase=0.5)),
    ],
)
def test_classifier_takes_a_step(capsys, image_folder, name, argument, changes):
    experiment, _ = small_classifier(name, argument, image_folder, **changes)
    assert experiment.class_names == ("cat", "dog")
    assert (experiment.best, len(experiment.eval_data)) == ("accuracy", 1)
    state, logs = step_once(experiment)
    assert int(state.step) == 1
    assert np.isfinite(float(logs["loss"]))


@pytest.mark.parametrize(
    ("name", "argument", "changes"),
    [
        ("resnet_imagenet", "resnet50", dict(accumulate=2)),
        ("mobilenet_imagenet", "mobilenet_v3_small", {}),
        ("classify_folder", "inception_v3", dict(image_size=299)),
        ("vit_imagenet", "vit_ti_16", dict(image_size=32, warm_up_steps=2)),
        ("deit_imagenet", "vit_ti_16", dict(image_size=32, remat=True, accumulate=2)),
        ("swin_imagenet", "swin_t", dict(image_size=32, warm_up_epochs=2, sharding="fsdp")),
    ],
)
def test_step_of_a_large_classifier_traces(capsys, image_folder, name, argument, changes):
    """Their compilation takes minutes; that shapes fit takes seconds."""
    experiment, _ = small_classifier(name, argument, image_folder, **changes)
    batch = next(experiment.train_data.batches(0))

    def run(key):
        state = create_state(
            experiment.task,
            experiment.optimizer,
            batch,
            seed=0,
            ema=experiment.ema is not None,
            mesh=sharding.data_mesh(),
            state_sharding=experiment.state_sharding,
        )
        step = experiment.make_step(experiment.task, experiment.optimizer, experiment.ema)
        return step(state, batch, key)

    state, logs = jax.eval_shape(run, jax.random.key(0))
    assert logs["loss"].shape == ()
    assert (state.ema is None) == (experiment.ema is None)


def test_resnet_recipe_for_cifar():
    module = load(ROOT / "configs/resnet_cifar10.py")
    config = module.get_config("resnet56")
    assert (config.variant, config.batch_size, config.schedule) == ("resnet56", 128, "step")
    assert config.epochs * (50_000 // config.batch_size) == 63_960
    assert (config.learning_rate, config.momentum, config.weight_decay) == (0.1, 0.9, 1e-4)
    assert (config.optimizer, config.padding, config.flip) == ("momentum", 4, 0.5)


def test_rates_of_the_recipes(capsys, image_folder):
    experiment, config = small_classifier("resnet_cifar10", "", image_folder)
    # Two steps an epoch, ten epochs.
    rates = [float(experiment.learning_rate(i)) for i in (0, 9, 10, 14, 15, 19)]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rtol=1e-5)
    experiment, config = small_classifier(
        "resnet_imagenet", "resnet18", image_folder, image_size=32, epochs=90
    )
    rates = [float(experiment.learning_rate(i)) for i in (0, 9, 10, 59, 60, 119, 120, 160)]
    expected = [0.04, 0.4, 0.4, 0.4, 0.04, 0.04, 0.004, 0.0004]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)
    experiment, config = small_classifier(
        "mobilenet_imagenet", "mobilenet_v3_small", image_folder, image_size=32
    )
    rates = [float(experiment.learning_rate(i)) for i in (0, 3, 4, 8)]
    np.testing.assert_allclose(rates, 0.064 * 0.973 ** np.array([0, 0, 1, 2]), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "peak", "warm_up_steps", "floor", "decay", "clip"),
    [
        ("vit_imagenet", 1e-3, 10_000, 0.0, 0.1, 1.0),
        ("deit_imagenet", 1e-3, 5 * 1251, 1e-5, 0.05, 0.0),
        ("swin_imagenet", 1e-3, 20 * 1251, 1e-5, 0.05, 5.0),
    ],
)
def test_recipes_of_transformers(
    monkeypatch, capsys, name, peak, warm_up_steps, floor, decay, clip
):
    module = load(ROOT / "configs" / f"{name}.py")
    given = {}
    monkeypatch.setattr(module, "optimizer", lambda kind, rate, **rest: given.update(rest))
    # Names and sizes of a dataset like ImageNet, in batches of which 1,251 are an epoch.
    fields = dict(classes=("a",) * 1000, several_labels=False, image_name=str, description="")
    train = SimpleNamespace(steps_per_epoch=1251)

    def streams(**options):
        given.update(options)
        return SimpleNamespace(train=train, val=(), **fields)

    monkeypatch.setattr(module, "classification_streams", streams)
    config = module.get_config()
    experiment = module.build(config)
    assert (config.batch_size, config.image_size, given["batch_size"]) == (1024, 224, 1024)
    assert experiment.total_steps == (90 if name == "vit_imagenet" else 300) * 1251
    assert (given["weight_decay"], given["clip_norm"]) == (decay, clip)
    assert given.get("repeats", 1) == (3 if name == "deit_imagenet" else 1)
    steps = (warm_up_steps // 2, warm_up_steps, experiment.total_steps)
    rates = [float(experiment.learning_rate(step)) for step in steps]
    np.testing.assert_allclose(rates, [peak / 2, peak, floor], rtol=1e-3, atol=1e-9)
    assert (experiment.ema is not None) == (name == "deit_imagenet")
    task = experiment.task
    if name == "vit_imagenet":
        assert task.model == models.classifier(
            "vit_s_16",
            rep_size=384,
            pool="gap",
            position="sincos2d",
            activation="gelu_tanh",
            weight_init="big_vision",
        )
        assert task.normalize(np.uint8([[[[0, 0, 255]]]])).ravel().tolist() == [-1, -1, 1]
        assert (task.mixup, task.cutmix, task.erase, task.label_smoothing) == (0.2, 0, 0, 0)
    else:
        variant = "vit_s_16" if name == "deit_imagenet" else "swin_t"
        depth = 0.1 if name == "deit_imagenet" else 0.2
        assert task.model == models.classifier(variant, drop_path=depth)
        assert (task.mixup, task.cutmix, task.erase, task.label_smoothing) == (0.8, 1, 0.25, 0.1)
        augment = given["augment"]
        assert (augment.magnitude, augment.deviation, augment.probability) == (27, 1.5, 0.5)


def test_options_of_transformers_reach_model_state_and_step(capsys, image_folder):
    for name in ("vit_imagenet", "deit_imagenet", "swin_imagenet"):
        experiment, _ = small_classifier(
            name,
            "",
            image_folder,
            remat=True,
            accumulate=4,
            sharding="fsdp",
            ema_decay=0.9,
            **{"warm_up_steps" if name == "vit_imagenet" else "warm_up_epochs": 1},
        )
        assert experiment.task.model.backbone.remat
        assert experiment.make_step.keywords == {"accumulate": 4}
        assert experiment.state_sharding is sharding.fsdp_state
        assert float(experiment.ema(np.float32(1e9))) == np.float32(0.9)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        (
            "vit_imagenet",
            dict(image_size=225),
            "multiples of the patch of 16 pixels, got 225 x 225",
        ),
        ("vit_imagenet", dict(variant="vit_g_14"), "variant must be one of .*, got vit_g_14"),
        ("deit_imagenet", dict(image_size=225), "patch of 16 pixels, got 225 x 225"),
        ("deit_imagenet", dict(sharding="zero"), "sharding must be one of replicated, fsdp"),
        ("vit_imagenet", dict(), r"warm_up_steps must be in \[0, 20\), .* got 10000"),
    ],
)
def test_transformers_refuse_what_cannot_be_before_they_start(
    capsys, image_folder, name, changes, words
):
    with pytest.raises(ValueError, match=words):
        small_classifier(name, "", image_folder, **changes)


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


def test_objects_are_several_labels_an_image(capsys, voc):
    module = load(ROOT / "configs/classify_folder.py")
    config = module.get_config("resnet18")
    config.data.source = "objects:voc"
    config.data.path = str(voc)
    config.image_size, config.batch_size, config.num_workers = 32, 2, 0
    experiment = module.build(config)
    assert experiment.best == "mAP"
    assert experiment.task.multi_label
    assert next(experiment.train_data.batches(0))["targets"].shape == (2, 2)


def test_vit_for_small_images(capsys):
    module = load(ROOT / "configs/vit_cifar10.py")
    config = module.get_config("short")
    config.data.source, config.batch_size = "digits", 8
    config.width, config.depth = 16, 1
    experiment = module.build(config)
    state, logs = step_once(experiment)
    assert int(state.step) == 1 and np.isfinite(float(logs["loss"]))
    config = module.get_config()
    config.data.source = "digits"
    model = module.build(config).task.model
    shapes = jax.eval_shape(
        lambda: model.init(jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32), train=False)
    )
    # ViT-Lite-7/4 has 3.717 million; queries, keys and values have a bias here.
    assert sum(x.size for x in jax.tree.leaves(shapes)) - 7 * 3 * 256 == 3_716_874
    with pytest.raises(ValueError, match="must be short or nothing, got tiny"):
        module.get_config("tiny")
