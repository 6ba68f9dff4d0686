"""U-Net weights: the paper's network, and milesial/Pytorch-UNet's."""

from jaxvision.models.segmentation.unet import UNet, unet
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.layout import TRANSPOSED_CONV
from jaxvision.pretrained.names import TORCH_LEAVES

_LAYOUTS = ((r"upconv\d/kernel", TRANSPOSED_CONV),)
# Lists of the two paths' blocks, each a list of convolutions.
PAPER = Source(
    "paper",
    (
        ("^down{level}/conv{number}/", "down/{level-1}/{number-1}/"),
        ("^upconv{step}/", "upconv/{step-1}/"),
        ("^up{step}/conv{number}/", "up/{step-1}/{number-1}/"),
        *TORCH_LEAVES,
    ),
    layouts=_LAYOUTS,
)
MILESIAL = Source(
    "milesial",
    (
        ("^down1/", "inc/double_conv/"),
        ("^down{level}/", "down{level-1}/maxpool_conv/1/double_conv/"),
        ("^upconv{step}/", "up{step}/up/"),
        ("^up{step}/{part:conv|norm}{number}/", "up{step}/conv/double_conv/{part}{number}/"),
        ("/double_conv/conv{number}/", "/double_conv/{3*number-3}/"),
        ("/double_conv/norm{number}/", "/double_conv/{3*number-2}/"),
        ("^head/", "outc/conv/"),
        *TORCH_LEAVES,
    ),
    layouts=_LAYOUTS,
)


def sources(name: str) -> tuple[Source, ...]:
    """Returns the names of a variant's weights."""
    return (PAPER,) if name == "unet" else (MILESIAL,)


def build(name: str, weights: Weights) -> UNet:
    """Builds the variant with as many classes as the weights have."""
    return unet(name, num_classes=weights.size("head/bias", 2))


def channels(weights: Weights) -> int:
    """Returns the number of channels of the images that the weights are for."""
    kernel = weights.get("down1/conv1/kernel", axes=4)
    return 3 if kernel is None else kernel.shape[1]


# 188 pixels is the least that the paper's network takes.
FAMILY = Family(
    ("unet", "unet_milesial", "unet_milesial_bilinear"),
    sources,
    build,
    image_side=188,
    channels=channels,
)
