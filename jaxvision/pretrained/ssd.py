"""SSD weights of torchvision."""

from jaxvision.models.detection.ssd import SSD, ssd
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.names import TORCH_LEAVES, Rules

_RULES: Rules = (
    ("^backbone/scale$", "backbone/scale_weight"),
    ("^backbone/vgg/stage1_conv{number}/", "backbone/features/{2*number-2}/"),
    ("^backbone/vgg/stage2_conv{number}/", "backbone/features/{2*number+3}/"),
    ("^backbone/vgg/stage3_conv{number}/", "backbone/features/{2*number+8}/"),
    ("^backbone/vgg/stage4_conv{number}/", "backbone/features/{2*number+15}/"),
    ("^backbone/vgg/stage5_conv{number}/", "backbone/extra/0/{2*number-1}/"),
    ("^backbone/fc6/", "backbone/extra/0/7/1/"),
    ("^backbone/fc7/", "backbone/extra/0/7/3/"),
    ("^backbone/extra{number}_reduce/", "backbone/extra/{number}/0/"),
    ("^backbone/extra{number}_spatial/", "backbone/extra/{number}/2/"),
    ("^map{number}_box/", "head/regression_head/module_list/{number-1}/"),
    ("^map{number}_class/", "head/classification_head/module_list/{number-1}/"),
    *TORCH_LEAVES,
)
TORCHVISION = Source("torchvision", _RULES)


def build(name: str, weights: Weights) -> SSD:
    """Builds the variant with as many classes as the weights have, without the background."""
    model = ssd(name, num_classes=20)
    boxes = model.layout.per_cell[0]
    return ssd(name, num_classes=weights.size("map1_class/bias", 21 * boxes) // boxes - 1)


FAMILY = Family(("ssd300_vgg16",), lambda name: (TORCHVISION,), build, image_side=300)
