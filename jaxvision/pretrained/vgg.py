"""VGG weights of torchvision and timm."""

from jaxvision.models.backbones.vgg import VARIANTS, VGGClassifier, vgg_classifier
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.layout import dense_as_conv, flattened
from jaxvision.pretrained.names import TORCH_LEAVES, Rules


def feature_rules(name: str) -> Rules:
    """Numbers the convolutions and normalisations of each stage.

    torchvision counts every module of its `features`: convolution, normalisation, ReLU; pool.
    """
    row = VARIANTS[name]
    step = 3 if row.get("norm") else 2
    rules, before = [], 0
    for stage, depth in enumerate(row["depths"], start=1):
        for offset, part in enumerate(("conv", "norm")):
            ours = f"^backbone/stage{stage}_{part}{{number}}/"
            theirs = f"features/{{{step}*number{before - step + offset:+d}}}/"
            rules.append((ours, theirs))
        before += step * depth + 1
    return (*rules, *TORCH_LEAVES)


def sources(name: str) -> tuple[Source, ...]:
    """Returns torchvision's names, and timm's, whose dense layers are convolutions."""
    torchvision = Source(
        "torchvision",
        (
            ("^fc6/", "classifier/0/"),
            ("^fc7/", "classifier/3/"),
            ("^head/", "classifier/6/"),
            *feature_rules(name),
        ),
        layouts=(("fc6/kernel", flattened(side=7)),),
    )
    timm = Source(
        "timm",
        (
            ("^fc6/", "pre_logits/fc1/"),
            ("^fc7/", "pre_logits/fc2/"),
            ("^head/", "head/fc/"),
            *feature_rules(name),
        ),
        layouts=(("fc6/kernel", dense_as_conv(side=7)), ("fc7/kernel", dense_as_conv(side=1))),
        known_by=r"^pre_logits\.",
    )
    return torchvision, timm


def build(name: str, weights: Weights) -> VGGClassifier:
    """Builds the variant with as many classes as the weights have."""
    return vgg_classifier(name, num_classes=weights.size("head/bias", 1000))


FAMILY = Family(VARIANTS, sources, build)
