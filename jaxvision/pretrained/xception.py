"""Xception of timm, `legacy_xception`, https://github.com/huggingface/pytorch-image-models."""

from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.backbones.xception import VARIANTS, xception_classifier
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.names import TORCH_LEAVES

TIMM = Source(
    "timm",
    (
        ("^head/", "fc/"),
        ("^backbone/", ""),
        ("^stem_conv{number}/conv/", "conv{number}/"),
        ("^stem_conv{number}/norm/", "bn{number}/"),
        ("^exit_separable{number}/norm/", "bn{number+2}/"),
        ("^exit_separable{number}/", "conv{number+2}/"),
        # Theirs is one list of (ReLU, convolution, norm), which in block 1 lacks the first ReLU.
        ("^block1/separable{number}/norm/", "block1/rep/{3*number-2}/"),
        ("^block1/separable{number}/", "block1/rep/{3*number-3}/"),
        ("/separable{number}/norm/", "/rep/{3*number-1}/"),
        ("/separable{number}/", "/rep/{3*number-2}/"),
        ("/depthwise/", "/conv1/"),
        ("/shortcut/conv/", "/skip/"),
        ("/shortcut/norm/", "/skipbn/"),
        *TORCH_LEAVES,
    ),
)


def build(name: str, weights: Weights) -> PooledClassifier:
    """Builds the classifier with as many classes as the weights have."""
    return xception_classifier(name, num_classes=weights.size("head/bias", 1000))


FAMILY = Family(VARIANTS, lambda name: (TIMM,), build)
