"""Every value that shapes a task or its input is read back from the meta of a checkpoint."""

import json
import re

import pytest
import toy_translation

from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.data.text.word_tokenizer import WordTokenizer
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
    super_resolution,
    text_classification,
    translation,
    values,
    word_embedding,
    zero_shot,
)
from jaxvision.train.workdir import flatten

IMAGES = dict(class_names=["cat", "dog"], class_weights=[], train_images=640)
ANCHORS = [[[8 * k + i, 9 * k + i] for i in range(1, 4)] for k in range(1, 4)]

# Another value than the default's, where it must be one of a few words or numbers.
OTHERS = {
    "augment.crop": "pad",
    "augment.multi_scale": (256, 1120),
    "backbone": "resnet18",
    "dtype": "bfloat16",
    "eval.metric": "voc07",
    "eval.shot": (1, 2, 3),
    "eval.way": (5, 10, 20),
    "eval.nms": "fusion",
    "eval.nms_threshold": 0.4,
    "eval.scales": (0.5, 1.0),
    "eval.score_threshold": 0.3,
    "loss.background_iou": 0.3,
    "loss.box_loss": "giou",
    "loss.candidates": "box_or_center",
    "loss.foreground_iou": 0.6,
    "loss.name": "focal",
    "loss.perceptual_layer": "conv2_2",
    "loss.output": "hierarchical",
    "loss.ratios": (0.5, 1.0),
    "loss.proposal_background_iou": 0.2,
    "loss.proposal_foreground_iou": 0.6,
    "loss.proposal_nms_threshold": 0.4,
    "loss.proposal_positive_share": 0.4,
    "loss.proposal_post_nms": (20, 10),
    "loss.proposal_pre_nms": (20, 10),
    "loss.positive_share": 0.4,
    "channels": 3,
    "image_size": (64, 64),
    "initial": "orthogonal",
    "normalise": "zca",
    "degradation.blur": (1.0, 1.0),
    "degradation.jpeg": (40, 50),
    "degradation.noise": (1.0, 2.0),
    "discriminator": "srgan_discriminator",
    "loss.adversarial": "hinge",
    "discriminator.variant": "gan_discriminator",
    "mean": (0.1, 0.2, 0.3),
    "noise": "uniform",
    "process.prediction": "velocity",
    "process.schedule": "cosine",
    "process.variance": "small",
    "sample.sampler": "ancestral",
    "loss.anchors": "authors",
    "loss.balance": (4.0, 2.0, 1.0),
    "model.positions": "learned",
    "std": (0.3, 0.2, 0.1),
}
LOSSES = {
    "adversarial": "hinge",
    "few_shot": "matching",
    "adversarial_super_resolution": "l1",
    "super_resolution": "l1",
    "diffusion_super_resolution": "l1",
    "zero_shot": "l2",
}
RESTORING = {
    "adversarial_super_resolution": adversarial_super_resolution,
    "super_resolution": super_resolution,
    "diffusion_super_resolution": diffusion_super_resolution,
    "zero_shot": zero_shot,
}
VARIANTS = {
    "yolox": "yolox_tiny",
    "retinanet": "retinanet_resnet18_fpn",
    "faster_rcnn": "faster_rcnn_resnet18_fpn",
    "fast_rcnn": "fast_rcnn_tiny",
    "rcnn": "rcnn_tiny",
    "spp_net": "spp_net_tiny",
    "ssd": "ssd512_vgg16",
    "hog_svm": "hog_svm_tiny",
    "yolov1": "yolov1_nano",
    "yolov2": "yolov2_tiny",
    "yolov3": "yolov3_spp",
    "yolov4": "yolov4",
    "yolov5": "yolov5n",
    "yolov8": "yolov8n",
    "classification": "vit_ti_16",
    "node_classification": "graph_sage_max",
    "node_embedding": "cbow",
    "language_modelling": "gru_lm",
    "text_classification": "gru_text",
    "word_embedding": "cbow",
    "adversarial": "gan_generator",
    "diffusion": "ddpm_cifar10",
    "few_shot": "siamese_koch",
    "super_resolution": "srcnn_955",
    "diffusion_super_resolution": "ddpm_cifar10",
    "adversarial_super_resolution": "srresnet_x4",
    "zero_shot": "zssr",
    "translation": "transformer_tiny",
}
# Of every detector.
SUPPRESSION = """
    eval.score_threshold eval.nms_threshold eval.max_detections eval.max_candidates
    eval.class_aware eval.nms eval.nms_sigma eval.fusion_threshold eval.flip eval.scales eval.metric
"""
# The network has a backbone or a size of its own, or its masks have one view and one metric.
FIXED = {
    "mask_rcnn": ("eval.flip", "eval.scales", "eval.metric"),
    # Scale and network belong together; kernels that are drawn are an error.
    "adversarial_super_resolution": ("scale",),
    # Another network has another loss.
    "few_shot": ("variant",),
    "zero_shot": ("degradation.elongation", "degradation.kernel", "degradation.downsize"),
    "ssd": ("backbone", "eval.rectangular"),
    "hog_svm": ("backbone",),
    "yolov1": ("backbone", "eval.scales"),
}
REGIONS = """
    eval.rectangular loss.foreground_iou loss.background_iou loss.samples
    loss.positive_share loss.beta loss.box_weight loss.pre_nms
"""
EMBEDDING = """
    variant size loss.output loss.negatives loss.shared loss.window loss.dynamic loss.undivided
"""
MACHINES = "loss.svm_background_iou loss.svm_c loss.box_iou loss.box_ridge loss.max_negatives"
# Values that the task depends on, or what an image goes through before it.
NEEDED = {
    "yolox": """
        variant image_size short_side batch_size epochs backbone dtype augment.no_aug model.pyramid
        eval.rectangular
        loss.box_loss loss.box_weight loss.center_radius loss.candidates loss.iou_weight loss.top_k
    """,
    "retinanet": """
        variant image_size short_side backbone dtype
        eval.rectangular
        loss.anchor_scale loss.scales_per_octave loss.ratios loss.foreground_iou
        loss.background_iou loss.low_quality loss.alpha loss.gamma loss.box_weight loss.pre_nms
    """,
    "faster_rcnn": f"""
        variant image_size short_side backbone dtype {REGIONS}
        loss.proposal_scales loss.proposal_ratios loss.proposal_foreground_iou
        loss.proposal_background_iou loss.proposal_samples loss.proposal_positive_share
        loss.proposal_pre_nms loss.proposal_post_nms loss.proposal_nms_threshold
    """,
    "fast_rcnn": f"variant image_size short_side backbone dtype {REGIONS}",
    "rcnn": f"variant image_size short_side backbone dtype {REGIONS} {MACHINES}",
    "spp_net": f"variant image_size short_side backbone dtype {REGIONS} {MACHINES}",
    "hog_svm": """
        variant image_size short_side dtype
        eval.rectangular
        loss.background_iou loss.negatives loss.pre_nms
    """,
    "ssd": """
        variant image_size short_side dtype
        loss.foreground_iou loss.negatives loss.box_weight loss.pre_nms
    """,
    "yolov1": """
        variant image_size short_side dtype
        eval.rectangular
        loss.boxes loss.box_weight loss.background_weight
    """,
    "yolov2": """
        variant image_size short_side backbone dtype
        eval.rectangular
        loss.ignore_iou loss.box_weight loss.object_weight loss.background_weight
        loss.class_weight loss.prior_weight loss.prior_images loss.pre_nms
    """,
    "yolov3": """
        variant image_size short_side backbone dtype
        eval.rectangular
        loss.ignore_iou loss.box_weight loss.pre_nms
    """,
    "yolov4": """
        image_size short_side backbone dtype
        eval.rectangular
        loss.match_iou loss.ignore_iou loss.ignore_probability loss.box_weight
        loss.label_smoothing loss.pre_nms
    """,
    "yolov5": """
        variant image_size short_side backbone dtype
        eval.rectangular
        loss.max_ratio loss.box_weight loss.objectness_weight loss.class_weight
        loss.balance loss.pre_nms
    """,
    "yolov8": """
        variant image_size short_side backbone dtype
        eval.rectangular
        loss.top_k loss.class_power loss.overlap_power loss.box_weight
        loss.class_weight loss.distribution_weight loss.pre_nms
    """,
    "classification": """
        variant image_size dtype remat mean std normalise initial
        augment.erase augment.mixup augment.cutmix
        loss.name loss.label_smoothing loss.auxiliary_weight eval.resize
    """,
    "node_classification": "variant dtype",
    "node_embedding": EMBEDDING,
    "text_classification": "variant dtype max_length data.lower loss.label_smoothing",
    "language_modelling": "variant dtype loss.sum_over_steps eval.window eval.context",
    "word_embedding": EMBEDDING,
    "adversarial": """
        variant image_size channels latent noise dtype loss.name
        discriminator.variant discriminator.steps
    """,
    "diffusion": """
        variant image_size channels conditional drop_label dtype
        process.steps process.schedule process.prediction process.variance process.clip
        sample.sampler sample.steps sample.eta sample.guidance
    """,
    "few_shot": """
        image_size dtype loss.name loss.margin episode.way episode.shot episode.query
        eval.way eval.shot eval.query
    """,
    "super_resolution": "variant scale dtype loss.name eval.border eval.tile eval.overlap",
    "diffusion_super_resolution": """
        variant scale dtype loss.name eval.border eval.tile eval.overlap
        process.steps process.schedule process.prediction process.variance process.clip
        sample.sampler sample.steps sample.eta
    """,
    "adversarial_super_resolution": """
        variant dtype discriminator eval.border eval.tile eval.overlap loss.name
        loss.pixel_weight loss.adversarial loss.adversarial_weight loss.discriminator_steps loss.vgg
        loss.perceptual_weight
    """,
    "zero_shot": """
        variant scale dtype loss.name degradation.blur degradation.jpeg degradation.noise
        degradation.rounded eval.border eval.tile eval.overlap eval.back_projection eval.ensemble
    """,
    "translation": """
        variant dtype data.max_length loss.label_smoothing
        model.dropout_rate model.attention_dropout_rate model.activation_dropout_rate
        model.pre_norm model.positions eval.beam_size eval.alpha eval.extra_length
    """,
}


def another(name, value):
    if type(OTHERS.get(name)) is type(value):
        return OTHERS[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 32
    if isinstance(value, float):
        return 0.6 * value + 0.21
    if isinstance(value, str):
        return f"{value}x"
    return (*value, 1.0)


@pytest.fixture(scope="module")
def tokenizer():
    return SubwordTokenizer.train(toy_translation.ENGLISH, 300).json()


def prepared(kind, tokenizer):
    """Returns the recipe, its default values and what it would know of some data."""
    if kind == "translation":
        return translation, translation.defaults(), {"tokenizer": tokenizer}
    if kind == "node_classification":
        info = dict(num_features=9, class_names=["cat", "dog"])
        return node_classification, node_classification.defaults(), info
    if kind == "language_modelling":
        info = {"tokenizer": WordTokenizer.train(["two dogs"], 9).json()}
        return language_modelling, language_modelling.defaults(), info
    if kind == "text_classification":
        info = {"tokenizer": WordTokenizer.train(["two dogs"], 9).json(), "class_names": ["a", "b"]}
        return text_classification, text_classification.defaults(), info
    if kind == "node_embedding":
        return node_embedding, node_embedding.defaults(), {"degrees": [3, 2, 1]}
    if kind == "word_embedding":
        info = dict(words=["a", "b"], counts=[2, 1], sentences=2, longest=4)
        return word_embedding, word_embedding.defaults(), info
    if kind in RESTORING:
        return RESTORING[kind], RESTORING[kind].defaults(), {"pictures": 2}
    if kind in ("adversarial", "diffusion", "few_shot"):
        recipe = dict(adversarial=adversarial, diffusion=diffusion, few_shot=few_shot)[kind]
        return recipe, recipe.defaults(), IMAGES
    if kind == "classification":
        config = classification.defaults()
        config.variant = "vit_s_16"  # one that knows its image's size and remat
        return classification, config, IMAGES | {"multi_label": False}
    info = IMAGES | {"anchors": [ANCHORS[0]] if kind == "yolov2" else ANCHORS}
    return detection, detection.defaults(kind), info


def needed_by(recipe, config, info):
    """Describes what a loaded run is built from; initialisers are made anew each time."""
    transform = recipe.eval_transform(config) if hasattr(recipe, "eval_transform") else None
    return re.sub(" at 0x[0-9a-f]+", "", repr((recipe.task(config, info), transform)))


@pytest.mark.parametrize("kind", NEEDED)
def test_task_of_every_value_is_restored(kind, tokenizer):
    recipe, plain, info = prepared(kind, tokenizer)
    before = needed_by(recipe, plain, info)
    found = set()
    for name in flatten(plain.to_dict()):
        _, config, _ = prepared(kind, tokenizer)
        group, _, last = name.rpartition(".")
        part = config[group] if group else config
        part[last] = VARIANTS[kind] if name == "variant" else another(name, part[last])
        if name == "loss.name":
            part[last] = LOSSES.get(kind, part[last])
        if name == "method":
            continue  # the other detector is the other case
        if name in FIXED.get(kind, ()):
            continue
        made = needed_by(recipe, config, info)
        stored = json.loads(json.dumps(dict(config=config.to_dict(), info=info)))
        assert needed_by(recipe, values.restored(stored["config"]), stored["info"]) == made, name
        if made != before:
            found.add(name)
    missing = FIXED.get(kind, ()) if recipe is detection else ()
    common = set(SUPPRESSION.split()) - set(missing) if recipe is detection else set()
    assert found == set(NEEDED[kind].split()) | common
