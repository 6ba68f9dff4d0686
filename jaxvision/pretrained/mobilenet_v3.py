"""MobileNetV3 weights of torchvision."""

from jaxvision.models.backbones.mobilenet_v3 import (
    VARIANTS,
    MobileNetV3Classifier,
    mobilenet_v3_classifier,
)
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.names import TORCH_LEAVES, Rules


def block_rules(name: str) -> Rules:
    """Numbers the layers of each block.

    A block without expansion or squeeze-and-excitation has fewer.
    """
    rules, width = [], 16
    for i, row in enumerate(VARIANTS[name]["rows"], start=1):
        layers = ["depthwise", "project"]
        if row.squeeze:
            layers.insert(1, "se")
        if row.expanded != width:
            layers.insert(0, "expand")
        width = row.features
        for j, layer in enumerate(layers):
            rules.append((f"^backbone/block{i}/{layer}/", f"features/{i}/block/{j}/{layer}/"))
            # Ours of the depthwise convolution is beside it instead of in it.
            rules.append((f"^backbone/block{i}/{layer}_norm/", f"features/{i}/block/{j}/norm/"))
    return rules


def sources(name: str) -> tuple[Source, ...]:
    """Returns torchvision's names, the only ones."""
    rules = (
        ("^head/", "classifier/3/"),
        ("^hidden/", "classifier/0/"),
        ("^backbone/stem/", "features/0/"),
        ("^backbone/expand/", f"features/{len(VARIANTS[name]['rows']) + 1}/"),
        *block_rules(name),
        ("/se/reduce/", "/fc1/"),
        ("/se/expand/", "/fc2/"),
        ("/depthwise/", "/conv/"),
        ("/(?:expand|project)/", "/"),
        ("/conv/", "/0/"),
        ("/norm/", "/1/"),
        *TORCH_LEAVES,
    )
    return (Source("torchvision", rules),)


def build(name: str, weights: Weights) -> MobileNetV3Classifier:
    """Builds the variant with as many classes as the weights have."""
    return mobilenet_v3_classifier(name, num_classes=weights.size("head/bias", 1000))


FAMILY = Family(VARIANTS, sources, build)
