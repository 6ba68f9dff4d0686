"""ResNet weights of torchvision and timm, and the SENet authors' as timm keeps them."""

from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.backbones.resnet import VARIANTS, resnet_classifier
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.names import TORCH_LEAVES

BACKBONE_RULES = (
    ("^stem/conv/", "conv1/"),
    ("^stem/norm/", "bn1/"),
    ("^stage{stage}_block{block}/", "layer{stage-1}/{block-1}/"),
    ("/(?:reduce|spatial1)/{part:conv|norm}/", "/{part}1/"),
    ("/(?:spatial|spatial2)/{part:conv|norm}/", "/{part}2/"),
    ("/expand/{part:conv|norm}/", "/{part}3/"),
    ("/norm{number}/", "/bn{number}/"),
    ("/shortcut/conv/", "/downsample/0/"),
    ("/shortcut/norm/", "/downsample/1/"),
    *TORCH_LEAVES,
)
_CLASSIFIER_RULES = (("^backbone/", ""), *BACKBONE_RULES, ("^head/", "fc/"))
_SE_RULES = (*_CLASSIFIER_RULES, ("/se/reduce/", "/se/fc1/"), ("/se/expand/", "/se/fc2/"))

TORCHVISION = Source("torchvision", _CLASSIFIER_RULES)
# timm's `legacy_seresnet50` and so on.
LEGACY = Source(
    "timm_legacy",
    (
        *_SE_RULES,
        ("^conv1/", "layer0/conv1/"),
        ("^bn1/", "layer0/bn1/"),
        ("/se/", "/se_module/"),
        ("^fc/", "last_linear/"),
    ),
)
# timm's own training, on torchvision's ResNet.
TIMM = Source("timm", _SE_RULES, known_by=r"^conv1\.weight$")


def build(name: str, weights: Weights) -> PooledClassifier:
    """Builds the variant with as many classes as the weights have, at the strides they need."""
    overrides = {}
    if weights.source is TIMM:
        overrides = dict(stride_in_1x1=False, ceil_pool=False)
    return resnet_classifier(name, num_classes=weights.size("head/bias", 1000), **overrides)


SE_VARIANTS = tuple(name for name in VARIANTS if name.startswith("seresnet"))
FAMILY = Family(
    tuple(name for name in VARIANTS if name not in SE_VARIANTS), lambda name: (TORCHVISION,), build
)
SE_FAMILY = Family(SE_VARIANTS, lambda name: (LEGACY, TIMM), build)
