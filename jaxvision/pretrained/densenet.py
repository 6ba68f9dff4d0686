"""DenseNet weights of torchvision, with those that it published before it renamed its layers."""

from jaxvision.models.backbones.densenet import VARIANTS, densenet_classifier
from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.names import TORCH_LEAVES

_RULES = (
    ("^head/", "classifier/"),
    ("^backbone/", "features/"),
    ("/stem/{part:conv|norm}/", "/{part}0/"),
    ("^features/norm/", "features/norm5/"),
    ("/block{block}_layer{layer}/", "/denseblock{block}/denselayer{layer}/"),
    ("/reduce/{part:conv|norm}/", "/{part}1/"),
    ("/spatial/{part:conv|norm}/", "/{part}2/"),
    *TORCH_LEAVES,
)
TORCHVISION = Source("torchvision", _RULES)
# The names in its files, which it changes when it loads them.
PUBLISHED = Source(
    "torchvision_2017",
    (*_RULES, ("{layer:denselayer[0-9]+/(?:conv|norm)}{number}/", "{layer}/{number}/")),
    known_by=r"denselayer\d+\.(conv|norm)\.[12]\.",
)


def build(name: str, weights: Weights) -> PooledClassifier:
    """Builds the variant with as many classes as the weights have."""
    return densenet_classifier(name, num_classes=weights.size("head/bias", 1000))


# The authors' CIFAR networks have no weights under torchvision's names.
FAMILY = Family(
    tuple(name for name in VARIANTS if not name.startswith("densenet_bc")),
    lambda name: (TORCHVISION, PUBLISHED),
    build,
)
