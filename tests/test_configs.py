"""Every config builds and takes a step, and has the values of its paper."""

import functools
import pathlib

import cv2
import jax
import numpy as np
import pytest
from cases import quick
from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.cli.config_file import load
from jaxvision.models.detection.yolox import VARIANTS
from jaxvision.recipes import (
    adversarial,
    adversarial_super_resolution,
    classification,
    detection,
    diffusion,
    diffusion_super_resolution,
    few_shot,
    language_modelling,
    node_classification,
    node_embedding,
    segmentation,
    super_resolution,
    text_classification,
    translation,
    wiring,
    word_embedding,
    zero_shot,
)
from jaxvision.train import sharding
from jaxvision.train.state import create_state, state_shapes
from jaxvision.train.step import make_step

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.py"))
# Names that every config has, so that a flag learned with one works with all.
COMMON = (
    "variant",
    "epochs",
    "seed",
    "dtype",
    "weights",
    "freeze",
    "patience",
    "log_every",
    "eval_every",
    "save_every",
    "num_workers",
)
# And those that a config of images or one of text has besides; a graph is one batch.
BATCHES = (
    {"image_size", "batch_size"},
    {"batch_tokens"},
    {"window", "batch_size"},
    {"max_length", "batch_size"},
)
COMMON_DATA = ("source", "path", "train", "val", "test")


@functools.cache
def config_file(name):
    return load(ROOT / "configs" / f"{name}.py")


def get_config(name, *argument):
    return config_file(name).get_config(*argument)


def names(config):
    """Returns the type of each value by name; all are plain, so that a flag replaces them."""
    found = {}
    for name, value in config.items():
        found[name] = names(value) if isinstance(value, ConfigDict) else type(value)
        assert isinstance(value, (int, float, str, bool, tuple, ConfigDict))
    return found


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_has_the_names_of_its_recipe_and_plain_values(path):
    module = config_file(path.stem)
    assert module.recipe in (
        adversarial,
        adversarial_super_resolution,
        classification,
        detection,
        diffusion,
        diffusion_super_resolution,
        few_shot,
        language_modelling,
        node_classification,
        node_embedding,
        segmentation,
        super_resolution,
        text_classification,
        translation,
        word_embedding,
        zero_shot,
    )
    config = module.get_config()
    assert set(COMMON) <= set(config)
    if module.recipe not in (node_classification, node_embedding, word_embedding):
        assert any(found <= set(config) for found in BATCHES)
    assert set(COMMON_DATA) <= set(config.data)
    method = [config.method] if "method" in config else []
    found, known = names(config), names(module.recipe.defaults(*method))
    # The fields of a network differ from one to the next.
    del found["model"], known["model"]
    assert found == known


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_docstring_names_paper_and_command(path):
    text = config_file(path.stem).__doc__
    # LeNet-5 is older than arXiv.
    places = ("https://arxiv.org/abs/", "yann.lecun.com", "there is no paper")
    assert any(place in text for place in places)
    assert f"python train.py --config configs/{path.name}" in text


def test_configs_hold_values_alone():
    sizes = {path.name: len(path.read_text().splitlines()) for path in CONFIGS}
    assert max(sizes.values()) <= 65, sizes
    assert sum(sizes.values()) < 40 * len(CONFIGS), sizes
    assert len(CONFIGS) == 50


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


@pytest.fixture
def text_folder(tmp_path):
    """Twelve pairs of sentences of different lengths."""
    for split in ("train", "val"):
        for language, sentence in (("en", "two dogs run"), ("de", "zwei Hunde rennen")):
            text = "".join(f"{sentence} {'.' * n}\n" for n in range(12))
            (tmp_path / f"{split}.{language}").write_text(text)
    return tmp_path


def changed(config, **changes):
    """Sets values by their dotted names, with two underscores for a dot."""
    config.num_workers = 0
    for name, value in changes.items():
        group, _, last = name.rpartition("__")
        (config[group] if group else config)[last] = value
    return config


def classifier(name, argument, folder, **changes):
    """Builds the experiment of a classifier on sixteen small pictures, two steps an epoch."""
    options = dict(batch_size=8, epochs=10, data__path=str(folder)) | changes
    config = changed(get_config(name, argument), **options)
    return classification.experiment(config), config


def detector(name, argument="", **changes):
    """Builds the experiment of a detector on sixteen drawn pictures, two steps an epoch."""
    options = dict(image_size=32, batch_size=8, data__train_images=16, data__val_images=8)
    config = changed(get_config(name, argument), **options | changes)
    return detection.experiment(config), config


def translator(folder, argument="", **changes):
    """Builds the experiment of a translator with one layer."""
    options = dict(data__path=str(folder), data__vocabulary_size=280, batch_tokens=512)
    config = changed(get_config("transformer_multi30k", argument), **options | changes)
    if "model" not in changes:
        config.model.update(num_layers=(1, 1))
    return translation.experiment(config), config


def segmenter(name, argument="", **changes):
    """Builds the experiment of a segmentation network on eight drawn pictures, two steps."""
    options = dict(batch_size=4, data__train_images=8, data__val_images=4)
    config = changed(get_config(name, argument), **options | changes)
    return segmentation.experiment(config), config


def batch_of(experiment):
    batches = experiment.train_data.batches(0)
    batch = next(batches)
    batches.close()
    return batch


def step_of(experiment):
    return make_step(
        experiment.task,
        experiment.optimizer,
        experiment.ema,
        accumulate=experiment.accumulate,
        freeze=experiment.freeze,
    )


def step_once(experiment):
    batch, mesh = batch_of(experiment), sharding.data_mesh(1)
    state = create_state(experiment, batch, mesh)
    step = jax.jit(step_of(experiment))
    state, logs = step(state, sharding.put_batch(batch, mesh), jax.random.key(0))
    assert int(state.step) == 1
    assert np.isfinite(float(logs["loss"]))
    return state


def trace_step(experiment):
    """Finds out in seconds whether shapes fit, where compiling would take minutes."""
    batch = batch_of(experiment)
    state = state_shapes(experiment, batch, sharding.data_mesh())
    state, logs = jax.eval_shape(step_of(experiment), state, batch, jax.random.key(0))
    assert logs["loss"].shape == ()
    assert (state.ema is None) == (experiment.ema is None)
    return state


def test_lenet_takes_a_step(capsys):
    changes = dict(data__train_images=16, data__val_images=8, batch_size=8)
    config = changed(get_config("lenet_mnist", "modern"), **changes)
    step_once(classification.experiment(config))


def test_step_of_resnet_for_cifar_traces(capsys, image_folder):
    experiment, _ = classifier("resnet_cifar10", "", image_folder)
    assert experiment.task.class_names == ("cat", "dog")
    assert (experiment.best.name, len(experiment.eval_data["val"].data)) == ("val/accuracy", 1)
    trace_step(experiment)


def test_vit_for_small_images_takes_a_step(capsys, image_folder):
    config = changed(get_config("vit_cifar10", "short"), batch_size=8, data__path=str(image_folder))
    config.model.update(width=16, depth=1)
    step_once(classification.experiment(config))


@pytest.mark.slow  # the tests of the command line train it, those of lowering trace it
def test_step_of_retinanet_traces(capsys):
    experiment, _ = detector("retinanet")
    assert experiment.best.name == "val/AP"
    trace_step(experiment)


@pytest.mark.slow  # the tests of lowering trace it, too
def test_step_of_yolox_traces(capsys):
    trace_step(detector("yolox")[0])


@pytest.mark.parametrize(
    "name", quick(["ddpm", "ddpm:paper", "dcgan", "dcgan:32", "dcgan:64", "gan"], "ddpm")
)
def test_step_of_a_generative_model_traces(capsys, name):
    name, _, argument = name.partition(":")
    config = changed(get_config(name, argument), num_workers=0, batch_size=4)
    config.data.train_images = config.data.val_images = 8
    config.channels = 3 if argument == "paper" or argument.isdigit() else 1
    trace_step(config_file(name).recipe.experiment(config))


@pytest.mark.parametrize("network", quick(["small", "mc3_18", "r2plus1d_18"], "small"))
def test_step_on_clips_traces(capsys, network):
    config = changed(get_config("video", network), num_workers=0, batch_size=2)
    config.data.update(train_images=4, val_images=4)
    trace_step(config_file("video").recipe.experiment(config))


@pytest.mark.parametrize(
    "name", quick(["protonet", "protonet:semi_hard", "siamese", "siamese:koch"], "protonet")
)
def test_step_on_episodes_traces(capsys, name):
    name, _, argument = name.partition(":")
    config = changed(get_config(name, argument), num_workers=0)
    config.data.update(train_characters=6, val_characters=20)
    experiment = config_file(name).recipe.experiment(config)
    assert set(experiment.eval_data) == {"val/5way_1shot", "val/5way_5shot", "val/20way_1shot"}
    trace_step(experiment)


SUPER_RESOLUTION = ["srcnn", "srresnet", "srresnet:paper", "srgan", "srgan:paper", "esrgan"]


@pytest.mark.parametrize(
    "name",
    quick([*SUPER_RESOLUTION, "esrgan:paper", "sr3", "zssr", "zssr:blurred"], "srcnn", "zssr"),
)
def test_step_of_a_super_resolution_network_traces(capsys, name):
    name, _, argument = name.partition(":")
    config = changed(get_config(name, argument), num_workers=0, batch_size=2)
    config.data.update(drawn_size=160, val_images=2)
    trace_step(config_file(name).recipe.experiment(config))


@pytest.mark.parametrize("name", quick(["unet", "fcn", "segnet", "deconvnet"], "unet"))
def test_step_of_a_segmentation_network_traces(capsys, name):
    experiment, config = segmenter(name)
    assert experiment.best.name == "val/mIoU"
    assert experiment.task.class_names == ("background", "circle", "square", "star", "triangle")
    assert batch_of(experiment)["label_map"].shape == (4, *config.image_size)
    trace_step(experiment)


def test_unet_of_the_paper_weighs_borders_and_traces(capsys):
    experiment, _ = segmenter("unet", "paper", image_size=(64, 64), batch_size=2)
    weights = batch_of(experiment)["pixel_weights"]
    assert weights.shape == (2, 64, 64) and weights.min() >= 1
    trace_step(experiment)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["resnet18", "vgg11_bn", "mobilenet_v3_small"])
def test_a_unet_on_any_backbone_traces(capsys, backbone):
    changes = dict(variant="backbone_unet", backbone=backbone, image_size=(64, 64))
    trace_step(segmenter("unet", **changes)[0])


def test_transformer_takes_a_step(capsys, text_folder):
    experiment, _ = translator(text_folder)
    assert experiment.best.name == "val/bleu"
    step_once(experiment)
    assert experiment.train_data.name(0) == "train.en:1: two dogs run"
    assert "BLEU: nrefs:1|case:mixed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "argument", "changes"),
    [
        ("classify_folder", "resnet20_cifar", dict(augment__mixup=0.2, augment__erase=0.5)),
        pytest.param(
            "classify_folder", "inception_v3", dict(image_size=299), marks=pytest.mark.slow
        ),
        pytest.param("classify_folder", "vit_ti_16", dict(image_size=48), marks=pytest.mark.slow),
        pytest.param("resnet_imagenet", "resnet50", dict(accumulate=2), marks=pytest.mark.slow),
        pytest.param("mobilenet_imagenet", "mobilenet_v3_small", {}, marks=pytest.mark.slow),
        pytest.param(
            "vit_imagenet", "vit_ti_16", dict(schedule__warmup_steps=2), marks=pytest.mark.slow
        ),
        ("deit_imagenet", "vit_ti_16", dict(remat=True, accumulate=2)),
        ("swin_imagenet", "swin_t", dict(schedule__warmup_epochs=2.0, sharding="fsdp")),
    ],
)
def test_step_of_a_large_classifier_traces(capsys, image_folder, name, argument, changes):
    experiment, _ = classifier(name, argument, image_folder, **dict(image_size=32) | changes)
    trace_step(experiment)


@pytest.mark.parametrize("name", quick(["yolox", "retinanet"], "retinanet"))
def test_step_over_another_backbone_traces(capsys, name):
    experiment, _ = detector(name, backbone="resnet50", freeze="backbone/.*")
    state = trace_step(experiment)
    assert set(state.params) >= {"backbone", "neck"}
    assert state.params["backbone"]["stem"]["conv"]["kernel"].shape == (7, 7, 3, 64)


# What the papers say.


def test_transformer_recipe():
    config = get_config("transformer_multi30k", "de-en,base")
    assert (config.variant, config.model.dropout_rate) == ("transformer_base", 0.1)
    assert (config.schedule.name, config.schedule.warmup_steps) == ("noam", 4000)
    assert (config.data.from_language, config.data.to_language) == ("de", "en")
    optimizer = config.optimizer
    assert (optimizer.name, optimizer.learning_rate, optimizer.b2) == ("adam", 1.0, 0.98)
    default, short = (get_config("transformer_multi30k", arg) for arg in ("", "short"))
    assert default.variant == "transformer_tiny" and default.data.to_language == "de"
    assert short.batch_tokens < default.batch_tokens
    with pytest.raises(ValueError, match="en-de, de-en, short, got fr-en"):
        get_config("transformer_multi30k", "fr-en")


def test_yolox_recipe_for_coco():
    config = get_config("yolox", "s,coco2017")
    assert (config.variant, config.data.source, config.image_size) == ("yolox_s", "coco", 640)
    assert (config.epochs, config.batch_size, config.data.max_objects) == (300, 64, 120)
    optimizer = config.optimizer
    assert (optimizer.name, optimizer.learning_rate, optimizer.base_batch) == ("nesterov", 0.01, 64)
    assert (optimizer.momentum, optimizer.weight_decay, config.ema.decay) == (0.9, 5e-4, 0.9998)
    assert (config.schedule.name, config.schedule.final_ratio) == ("yolox", 0.05)
    assert config.schedule.warmup * config.epochs == 5
    assert config.augment.no_aug * config.epochs == 15
    assert (config.eval.nms_threshold, config.eval.score_threshold) == (0.65, 0.001)


# What the published weights were trained with, beside what the recipe has of the present code.
PAPER = {
    "loss.center_radius": (2.5, 1.5),
    "loss.candidates": ("box_or_center", "center"),
    "augment.affine_centered": (True, False),
    "augment.filter_boxes": (True, False),
    "augment.hsv_gain": (True, False),
    "augment.min_side": (8.0, 1.0),
    "augment.multi_scale": (
        (448, 512, 576, 640, 704, 768, 832),
        (480, 544, 608, 672, 736, 800),
    ),
}


@pytest.mark.parametrize("argument", ["s,coco2017,paper", "paper,s,coco2017"])
def test_yolox_paper_changes_what_the_weights_were_trained_with(argument):
    def flat(config):
        return {
            f"{group}.{name}": value
            for group, values in config.items()
            for name, value in (
                values.items() if isinstance(values, ConfigDict) else [("", values)]
            )
        }

    paper, present = flat(get_config("yolox", argument)), flat(get_config("yolox", "s,coco2017"))
    differ = {name: (paper[name], present[name]) for name in paper if paper[name] != present[name]}
    assert differ == PAPER


@pytest.mark.parametrize("argument", ["voc,nano", "nano,voc"])
def test_yolox_argument_goes_in_any_order(argument):
    config = get_config("yolox", argument)
    assert (config.variant, config.data.source, config.image_size) == ("yolox_nano", "voc", 416)


@pytest.mark.parametrize("variant", VARIANTS)
def test_yolox_takes_every_variant(variant):
    assert get_config("yolox", variant.removeprefix("yolox_")).variant == variant


def test_yolox_augmentation_of_every_variant():
    for variant, expected in {
        "s": (1.0, 1.0, (0.1, 2.0)),
        "tiny": (1.0, 0.0, (0.5, 1.5)),
        "nano": (0.5, 0.0, (0.5, 1.5)),
    }.items():
        augment = get_config("yolox", f"{variant},coco2017").augment
        assert (augment.mosaic, augment.mixup, augment.mosaic_scale) == expected
    shapes, own = (get_config("yolox", f"s,{source}").augment for source in ("shapes", "voc"))
    assert (shapes.mosaic, shapes.mixup, shapes.hsv) == (0.0, 0.0, 0.0)
    assert (own.mosaic, own.mixup, own.hsv) == (1.0, 1.0, 1.0)


def test_a_format_is_no_recipe():
    for name, argument in (("yolox", "s,coco"), ("retinanet", "coco")):
        config = get_config(name, argument)
        assert (config.data.source, config.data.train, config.data.val) == ("coco", "train", "val")
        assert config.batch_size == 16 and config.augment.multi_scale == ()
    packed = get_config("yolox", "s,packed,coco2017")
    assert (packed.data.source, packed.data.train, packed.epochs) == ("packed", "train2017", 300)


def test_yolox_sizes():
    # The authors': 480 to 800, and 320 to 640 for nano and tiny, around 640 and 480.
    sizes = {
        arg: get_config("yolox", arg).augment.multi_scale for arg in ("s,coco2017", "tiny,coco2017")
    }
    assert sizes["s,coco2017"] == (480, 544, 608, 672, 736, 800)
    assert sizes["tiny,coco2017"] == (320, 384, 448, 512, 576, 640)
    assert get_config("yolox", "tiny,voc").augment.multi_scale == ()


def test_retinanet_recipe_for_coco():
    config = get_config("retinanet", "coco2017")
    assert (config.variant, config.method) == ("retinanet_resnet50_fpn", "retinanet")
    # Section 4.1: batch 16, 0.01, divided by 10 twice, weight decay 1e-4, momentum 0.9.
    optimizer = config.optimizer
    assert (config.batch_size, optimizer.base_batch) == (16, 16)
    assert (optimizer.name, optimizer.learning_rate) == ("momentum", 0.01)
    assert (optimizer.weight_decay, optimizer.momentum) == (1e-4, 0.9)
    assert (config.schedule.name, config.schedule.factor) == ("step", 0.1)
    assert (config.loss.alpha, config.loss.gamma) == (0.25, 2.0)
    assert (config.loss.foreground_iou, config.loss.background_iou) == (0.5, 0.4)
    assert (config.eval.score_threshold, config.eval.nms_threshold) == (0.05, 0.5)


def test_resnet_recipe_for_cifar():
    config = get_config("resnet_cifar10", "resnet56")
    assert (config.variant, config.batch_size) == ("resnet56_cifar", 128)
    assert config.epochs * (50_000 // config.batch_size) == 63_960
    optimizer = config.optimizer
    assert (optimizer.learning_rate, optimizer.momentum) == (0.1, 0.9)
    assert (optimizer.name, optimizer.weight_decay) == ("momentum", 1e-4)
    augment = config.augment
    assert (augment.crop, augment.padding, augment.flip) == ("pad", 4, 0.5)
    assert (config.schedule.name, config.eval.resize) == ("step", 0.0)


def test_rates_of_the_recipes(capsys, image_folder):
    def rates(name, argument, steps, **changes):
        experiment, _ = classifier(name, argument, image_folder, image_size=32, **changes)
        return [float(experiment.learning_rate(step)) for step in steps]

    # Two steps an epoch, ten epochs.
    found = rates("resnet_cifar10", "", (0, 9, 10, 14, 15, 19))
    np.testing.assert_allclose(found, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rtol=1e-5)
    steps = (0, 9, 10, 59, 60, 119, 120, 160)
    found = rates("resnet_imagenet", "resnet18", steps, epochs=90)
    expected = [0.04, 0.4, 0.4, 0.4, 0.04, 0.04, 0.004, 0.0004]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    found = rates("mobilenet_imagenet", "mobilenet_v3_small", (0, 3, 4, 8))
    np.testing.assert_allclose(found, 0.064 * 0.973 ** np.array([0, 0, 1, 2]), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "peak", "warmup_steps", "floor", "decay", "clip"),
    [
        ("vit_imagenet", 1e-3, 10_000, 0.0, 0.1, 1.0),
        ("deit_imagenet", 1e-3, 5 * 1251, 1e-5, 0.05, 0.0),
        ("swin_imagenet", 1e-3, 20 * 1251, 1e-5, 0.05, 5.0),
    ],
)
def test_recipes_of_transformers(name, peak, warmup_steps, floor, decay, clip):
    config = get_config(name)
    # ImageNet has 1,251 batches an epoch.
    rate = wiring.learning_rate(config, epoch=1251, batch_size=config.batch_size)
    steps = (warmup_steps // 2, warmup_steps, config.epochs * 1251)
    rates = [float(rate(step)) for step in steps]
    np.testing.assert_allclose(rates, [peak / 2, peak, floor], rtol=1e-3, atol=1e-9)
    assert (config.batch_size, config.image_size) == (1024, 224)
    assert config.epochs == (90 if name == "vit_imagenet" else 300)
    assert (config.optimizer.weight_decay, config.optimizer.clip_norm) == (decay, clip)
    assert config.optimizer.name == "adamw"
    assert config.augment.repeats == (3 if name == "deit_imagenet" else 1)
    assert config.ema.decay == (0.99996 if name == "deit_imagenet" else 0.0)
    task = classification.task(config, imagenet())
    if name == "vit_imagenet":
        assert task.model == models.classifier(
            "vit_s_16",
            rep_size=384,
            pool="gap",
            position="sincos2d",
            activation="gelu_tanh",
            weight_init="big_vision",
        )
        assert task.normalize(np.uint8([[[[0, 0, 255]]]]), {}).ravel().tolist() == [-1, -1, 1]
        assert (task.mixup, task.cutmix, task.erase, task.label_smoothing) == (0.2, 0, 0, 0)
        assert (config.augment.crop_area, config.augment.fill) == (0.05, 128)
    else:
        variant = "vit_s_16" if name == "deit_imagenet" else "swin_t"
        depth = 0.1 if name == "deit_imagenet" else 0.2
        assert task.model == models.classifier(variant, drop_path=depth)
        assert (task.mixup, task.cutmix, task.erase, task.label_smoothing) == (0.8, 1, 0.25, 0.1)
        augment = config.augment
        assert (augment.magnitude, augment.deviation, augment.probability) == (27, 1.5, 0.5)


def imagenet():
    names = [f"class {i}" for i in range(1000)]
    return dict(class_names=names, multi_label=False, class_weights=[], train_images=1_281_167)


def test_vit_for_small_images():
    task = classification.task(get_config("vit_cifar10"), imagenet() | dict(class_names=["a"] * 10))
    shapes = jax.eval_shape(
        lambda: task.model.init(
            jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32), train=False
        )
    )
    # ViT-Lite-7/4 has 3.717 million; queries, keys and values have a bias here.
    assert sum(x.size for x in jax.tree.leaves(shapes)) - 7 * 3 * 256 == 3_716_874
    with pytest.raises(ValueError, match="must be of short, got tiny"):
        get_config("vit_cifar10", "tiny")


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        (
            "vit_imagenet",
            dict(image_size=225, schedule__warmup_steps=2),
            "multiples of the patch of 16 pixels, got 225 x 225",
        ),
        (
            "vit_imagenet",
            dict(variant="vit_g_14", schedule__warmup_steps=2),
            "name must be one of .*, got vit_g_14",
        ),
        ("deit_imagenet", dict(image_size=225), "patch of 16 pixels, got 225 x 225"),
        ("deit_imagenet", dict(sharding="zero"), "sharding must be one of replicated, fsdp"),
        ("resnet_imagenet", dict(remat=True), "resnet50 does not have all of the fields .*remat"),
        ("vit_imagenet", dict(), r"warmup_steps must be in \[0, 20\), .* got 10000"),
    ],
)
def test_impossible_values_of_transformers_are_errors_before_they_start(
    capsys, image_folder, name, changes, words
):
    with pytest.raises(ValueError, match=words):
        classifier(name, "", image_folder, **changes)
