"""GoogLeNet weights of torchvision."""

from jaxvision.models.backbones.googlenet import GoogLeNetClassifier, googlenet_classifier
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.layout import flattened
from jaxvision.pretrained.names import TORCH_LEAVES

TORCHVISION = Source(
    "torchvision",
    (
        ("/norm/", "/bn/"),
        ("^head/", "fc/"),
        ("^auxiliary{number}/hidden/", "aux{number}/fc1/"),
        ("^auxiliary{number}/head/", "aux{number}/fc2/"),
        ("^auxiliary{number}/", "aux{number}/"),
        ("^backbone/", ""),
        ("^stem_conv{number}/", "conv{number}/"),
        ("/branch1x1/", "/branch1/"),
        ("/branch3x3_reduce/", "/branch2/0/"),
        ("/branch3x3/", "/branch2/1/"),
        ("/branch5x5_reduce/", "/branch3/0/"),
        ("/branch5x5/", "/branch3/1/"),
        ("/branch_pool/", "/branch4/1/"),
        *TORCH_LEAVES,
    ),
    layouts=((r"auxiliary\d/hidden/kernel", flattened(side=4)),),
)


def build(name: str, weights: Weights) -> GoogLeNetClassifier:
    """Builds the model with the classes and with or without auxiliary heads as the weights are."""
    return googlenet_classifier(
        name,
        num_classes=weights.size("head/bias", 1000),
        auxiliary=any(key.startswith("aux") for key in weights.state),
    )


# There are no weights of the paper's network in PyTorch's formats.
FAMILY = Family(("googlenet",), lambda name: (TORCHVISION,), build)
