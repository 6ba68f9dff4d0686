"""Training steps and predictions lower for GPU and TPU, in bfloat16, on a machine without either.

Nothing is compiled, and all arrays are shapes.
"""

import functools
import pathlib
import re

import jax
import numpy as np
import pytest
from cases import quick

from jaxvision.cli.config_file import load
from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.data.text.word_tokenizer import WordTokenizer
from jaxvision.recipes import (
    adversarial,
    adversarial_super_resolution,
    classification,
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
from jaxvision.recipes.detectors import detector
from jaxvision.train import sharding
from jaxvision.train.experiment import Experiment
from jaxvision.train.sparse import make_sparse_step
from jaxvision.train.state import state_shapes
from jaxvision.train.step import make_step

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"
# The argument of each config for its smallest network, and values to change.
EPISODES = dict(episode=dict(way=2, query=1), eval=dict(way=(2,), shot=(1,), query=1))
SMALLEST = {
    "classify_folder": ("resnet20_cifar", dict(image_size=32)),
    "dcgan": ("small", {}),
    "ddpm": ("small", {}),
    "deconvnet": ("shapes", {}),
    "deit_imagenet": ("vit_ti_16", dict(image_size=32, remat=True)),
    "esrgan": ("", dict(model=dict(blocks=1), image_size=16)),
    "fast_rcnn": ("tiny", dict(image_size=64)),
    "faster_rcnn": ("tiny", dict(image_size=64)),
    "fcn": ("shapes", dict(image_size=(32, 32))),
    "gcn": ("", {}),
    "gan": ("", {}),
    "gpt": ("", dict(model=dict(num_layers=1), window=8, eval=dict(window=4, context=4))),
    "hog_svm": ("tiny", dict(image_size=64)),
    "lenet_mnist": ("original", {}),
    "lstm": ("", dict(window=8, eval=dict(window=4))),
    "mask_rcnn": ("tiny", dict(image_size=64)),
    "mlp": ("", {}),
    "node2vec": ("", {}),
    "mobilenet_imagenet": ("mobilenet_v3_small", dict(image_size=32)),
    "protonet": ("", EPISODES),
    "rbm": ("", {}),
    "rcnn": ("tiny", dict(image_size=64)),
    "resnet_cifar10": ("resnet20", {}),
    "resnet_imagenet": ("resnet18", dict(image_size=32, accumulate=2)),
    "retinanet": ("shapes", dict(image_size=64)),
    "segnet": ("basic", dict(image_size=(32, 32))),
    "seq2seq_multi30k": ("", dict(model=dict(features=16))),
    "siamese": ("", EPISODES),
    "spp_net": ("tiny", dict(image_size=64)),
    "srcnn": ("", {}),
    "text_classifier": ("", dict(model=dict(features=16, embedding=8))),
    "srgan": ("", dict(model=dict(blocks=1), image_size=16)),
    "sr3": ("", dict(model=dict(widths=(8, 16)), image_size=16)),
    "srresnet": ("", dict(model=dict(blocks=1), image_size=16)),
    "ssd": ("tiny", dict(image_size=64)),
    "swin_imagenet": ("swin_t", dict(image_size=32)),
    "transformer_multi30k": ("tiny", dict(model=dict(num_layers=(1, 1)))),
    "unet": ("small", dict(image_size=(32, 32))),
    "video": ("", {}),
    "vit_cifar10": ("short", {}),
    "vit_imagenet": ("vit_ti_16", dict(image_size=32)),
    "word2vec": ("cbow", {}),
    "yolov1": ("nano", dict(image_size=64)),
    "yolov2": ("tiny", dict(image_size=64)),
    "yolov3": ("tiny", dict(image_size=64)),
    "yolov4": ("tiny", dict(image_size=64)),
    "yolov5": ("n", dict(image_size=64)),
    "yolov8": ("n", dict(image_size=64)),
    "yolox": ("nano,shapes", dict(image_size=64)),
    "zssr": ("", dict(model=dict(depth=2), image_size=16)),
}
# Tables of vectors are float32, and a step changes rows of them.
EMBEDDINGS = (node_embedding, word_embedding)
RESTORING = (
    super_resolution,
    adversarial_super_resolution,
    diffusion_super_resolution,
    zero_shot,
)
# Their bicubic enlargement is products of float32, as many as a small network has.
BICUBIC = ("esrgan", "sr3", "srcnn", "srgan", "srresnet", "zssr")
B, N, T = 4, 3, 8
# Python functions that the device would call, and numbers that TPUs do not have.
NOT_FOR_DEVICES = r"callback|xf64>"


def shape(*sides, dtype=np.int32):
    return jax.ShapeDtypeStruct(sides, dtype)


def batch_of(recipe, config):
    """Shapes of a training batch."""
    if recipe in EMBEDDINGS:
        size = config.block + 2 * config.loss.window
        tables = {"share": shape(N, dtype=np.float32), "other": shape(N)}
        return {"tokens": shape(B, size), **tables}
    if recipe is language_modelling:
        length = T + config.eval.context
        of_evaluation = {"valid": shape(B, T, dtype=bool)}
        tokens = {"inputs": shape(B, length), "targets": shape(B, T)}
        return {**tokens, "first": shape(B, dtype=bool), "index": shape(B), **of_evaluation}
    if recipe is text_classification:
        return {"tokens": shape(B, T), "length": shape(B), "label": shape(B), "index": shape(B)}
    if recipe is translation:
        return {"source": shape(B, T), "target": shape(B, T), "index": shape(B)}
    if recipe is node_classification:
        entries = {name: shape(T) for name in ("rows", "columns")}
        values = shape(T, dtype=np.float32)
        graph = {"edges": shape(T, 2), "labels": shape(N)}
        return {"nodes": shape(2), **entries, "values": values, **graph}
    if recipe in RESTORING:
        side = config.image_size
        small = side if recipe is zero_shot else side // config.scale
        return {
            "image": shape(B, small, small, 3, dtype=np.uint8),
            "target": shape(B, side, side, 3, dtype=np.uint8),
            "index": shape(B),
        }
    if recipe in (adversarial, diffusion):
        image = shape(B, *config.image_size, 3, dtype=np.uint8)
        return {"image": image, "label": shape(B), "index": shape(B)}
    if recipe is segmentation:
        maps = shape(B, *config.image_size)
        image = shape(B, *config.image_size, 3, dtype=np.uint8)
        return {"image": image, "label_map": maps, "index": shape(B)}
    batch = {
        "image": shape(B, config.image_size, config.image_size, 3, dtype=np.uint8),
        "index": shape(B),
    }
    if recipe is classification and config.data.frames:
        size = config.data.frames, config.image_size, config.image_size
        batch["image"] = shape(B, *size, 3, dtype=np.uint8)
    if recipe in (classification, few_shot):
        return batch | {"label": shape(B)}
    if "masks" in config.data:
        sides = config.image_size, config.image_size
        batch["masks"] = shape(B, N, *sides, dtype=bool)
    if "proposals" in config.data:
        batch["proposals"] = shape(B, N, 4, dtype=np.float32)
        batch["proposal_valid"] = shape(B, N, dtype=bool)
    return batch | {
        "boxes": shape(B, N, 4, dtype=np.float32),
        "classes": shape(B, N),
        "valid": shape(B, N, dtype=bool),
    }


def info_of(recipe, config):
    """What a task knows of data of three classes, or of two sentences."""
    if recipe is translation:
        return {"tokenizer": SubwordTokenizer.train(["two dogs", "zwei Hunde"], 270).json()}
    if recipe is language_modelling:
        return {"tokenizer": WordTokenizer.train(["two dogs"], 9).json()}
    if recipe is text_classification:
        tokenizer = WordTokenizer.train(["two dogs"], 9).json()
        return {"tokenizer": tokenizer, "class_names": ["animals", "things"]}
    if recipe is node_embedding:
        return {"degrees": [3, 2, 1]}
    if recipe is word_embedding:
        return {"words": ["a", "b", "c"], "counts": [3, 2, 1], "sentences": 2, "longest": 4}
    names = dict(class_names=list("abcdefghij"), class_weights=[], train_images=100)
    if recipe in RESTORING:
        return dict(train_images=100, pictures=2)
    if recipe is classification:
        return names | {"multi_label": False}
    if recipe is node_classification:
        return names | {"num_features": 9}
    if recipe in (adversarial, diffusion, few_shot, segmentation):
        return names
    if "anchors" in config.loss:
        config.loss.anchors = "authors"  # others are fitted to the data
    return names | detector(config.method).info(config, None)


def traced(name):
    """Traces (training step, prediction) of a config."""
    argument, changes = SMALLEST[name]
    module = load(CONFIGS / f"{name}.py")
    config = module.get_config(argument)
    config.update(changes)
    if module.recipe not in EMBEDDINGS:
        config.dtype = "bfloat16"
    task = module.recipe.task(config, info_of(module.recipe, config))
    batch = batch_of(module.recipe, config)
    experiment = Experiment(
        task=task,
        train_data=None,
        eval_data={},
        optimizer=wiring.optimizer(config, lambda step: 0.1),
        learning_rate=lambda step: 0.1,
        total_steps=10,
        ema=wiring.average(config, 10),
    )
    state = state_shapes(experiment, batch, sharding.data_mesh(1))
    # Without the devices of this machine.
    state = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)
    key = jax.eval_shape(lambda: jax.random.key(0))
    if module.recipe in EMBEDDINGS:
        options = dict(learning_rate=lambda step: 0.1, parts=2, cut=("tokens",))
        step = make_sparse_step(task, experiment.optimizer, None, **options)
    else:
        step = make_step(task, experiment.optimizer, experiment.ema, accumulate=config.accumulate)
    predict = functools.partial(jax.jit(task.predict).trace, *state.evaluated, batch)
    return jax.jit(step).trace(state, batch, key), predict(key=key)


def test_every_config_is_lowered():
    assert SMALLEST.keys() == {path.stem for path in CONFIGS.glob("*.py")}


@pytest.mark.parametrize(
    "name",
    quick(
        SMALLEST,
        "gcn",
        "lstm",
        "resnet_cifar10",
        "transformer_multi30k",
        "vit_cifar10",
        "word2vec",
        "yolox",
    ),
)
def test_step_and_prediction_lower_in_bfloat16(name):
    for function in traced(name):
        text = function.lower(lowering_platforms=("tpu", "cuda")).as_text()
        assert not re.search(NOT_FOR_DEVICES, text)
        # Logits, costs and part of attention's gradient are float32, nothing else.
        if name in ("node2vec", "word2vec"):
            continue
        products = re.findall(r"stablehlo\.(convolution|dot_general).* : \((.*?)\) ->", text)
        of_type = [(kind, set(re.findall(r"x([a-z]+\d+)>", x))) for kind, x in products]
        assert all(types == {"bf16"} for kind, types in of_type if kind == "convolution")
        share = np.mean([types == {"bf16"} for _, types in of_type])
        assert share > (0.2 if name in BICUBIC else 0.8)
