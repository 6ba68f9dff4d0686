"""AlexNet weights of torchvision."""

from jaxvision.models.backbones.alexnet import AlexNetClassifier, alexnet_classifier
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.layout import flattened
from jaxvision.pretrained.names import TORCH_LEAVES

TORCHVISION = Source(
    "torchvision",
    (
        ("^backbone/conv1/", "features/0/"),
        ("^backbone/conv2/", "features/3/"),
        ("^backbone/conv3/", "features/6/"),
        ("^backbone/conv4/", "features/8/"),
        ("^backbone/conv5/", "features/10/"),
        ("^fc6/", "classifier/1/"),
        ("^fc7/", "classifier/4/"),
        ("^head/", "classifier/6/"),
        *TORCH_LEAVES,
    ),
    layouts=(("fc6/kernel", flattened(side=6)),),
)


def build(name: str, weights: Weights) -> AlexNetClassifier:
    """Builds the variant with as many classes as the weights have."""
    return alexnet_classifier(name, num_classes=weights.size("head/bias", 1000))


# There are no weights of the network of 2012 in PyTorch's formats.
FAMILY = Family(("alexnet",), lambda name: (TORCHVISION,), build)
