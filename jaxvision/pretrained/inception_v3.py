"""Inception-v3 weights of torchvision."""

from jaxvision.models.backbones.inception_v3 import (
    VARIANTS,
    InceptionV3Classifier,
    inception_v3_classifier,
)
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.names import TORCH_LEAVES

TORCHVISION = Source(
    "torchvision",
    (
        ("/norm/", "/bn/"),
        ("^head/", "fc/"),
        ("^auxiliary1/head/", "AuxLogits/fc/"),
        ("^auxiliary1/conv{number}/", "AuxLogits/conv{number-1}/"),
        ("^backbone/stem_conv1/", "Conv2d_1a_3x3/"),
        ("^backbone/stem_conv2/", "Conv2d_2a_3x3/"),
        ("^backbone/stem_conv3/", "Conv2d_2b_3x3/"),
        ("^backbone/stem_conv4/", "Conv2d_3b_1x1/"),
        ("^backbone/stem_conv5/", "Conv2d_4a_3x3/"),
        (r"^backbone/mixed{block:\d\w}/", "Mixed_{block}/"),
        ("/pool/conv1/", "/branch_pool/"),
        ("^Mixed_6a/branch3x3/conv1/", "Mixed_6a/branch3x3/"),
        ("/branch1x1/conv1/", "/branch1x1/"),
        (r"/{branch:branch\w+}/conv{number}/", "/{branch}_{number}/"),
        ("/branch3x3_row/", "/branch3x3_2a/"),
        ("/branch3x3_column/", "/branch3x3_2b/"),
        ("/branch3x3dbl_row/", "/branch3x3dbl_3a/"),
        ("/branch3x3dbl_column/", "/branch3x3dbl_3b/"),
        *TORCH_LEAVES,
    ),
)


def build(name: str, weights: Weights) -> InceptionV3Classifier:
    """Builds the model with the classes and with or without auxiliary head as the weights are."""
    return inception_v3_classifier(
        name,
        num_classes=weights.size("head/bias", 1000),
        auxiliary=any(key.startswith("AuxLogits.") for key in weights.state),
    )


# The smallest image that the auxiliary head takes has 299 pixels.
FAMILY = Family(VARIANTS, lambda name: (TORCHVISION,), build, image_side=299)
