"""YOLOX weights of the authors, https://github.com/Megvii-BaseDetection/YOLOX."""

from jaxvision.models.detection.yolox import VARIANTS, YOLOX, yolox
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.layout import BGR_STEM
from jaxvision.pretrained.names import TORCH_LEAVES, Rules

_COMMON: Rules = (
    ("/depthwise/", "/dconv/conv/"),
    ("/depthwise_norm/", "/dconv/bn/"),
    ("/pointwise/", "/pconv/"),
    ("/norm/", "/bn/"),
    ("^backbone/", "backbone/backbone/"),
    ("^neck/", "backbone/"),
    ("^head/stride8_", "head/0_"),
    ("^head/stride16_", "head/1_"),
    ("^head/stride32_", "head/2_"),
    ("^head/{level}_stem/", "head/stems/{level}/"),
    ("^head/{level}_class_conv{number}/", "head/cls_convs/{level}/{number-1}/"),
    ("^head/{level}_box_conv{number}/", "head/reg_convs/{level}/{number-1}/"),
    ("^head/{level}_class/", "head/cls_preds/{level}/"),
    ("^head/{level}_box/", "head/reg_preds/{level}/"),
    ("^head/{level}_objectness/", "head/obj_preds/{level}/"),
    *TORCH_LEAVES,
)
_CSP_DARKNET: Rules = (
    ("/stem/", "/stem/conv/"),
    ("/stage{stage}_downsample/", "/dark{stage}/0/"),
    ("/stage5_spp/reduce/", "/dark5/1/conv1/"),
    ("/stage5_spp/expand/", "/dark5/1/conv2/"),
    ("/stage5_csp/", "/dark5/2/"),
    ("/stage{stage}_csp/", "/dark{stage}/1/"),
    ("/lateral5/", "/lateral_conv0/"),
    ("/lateral4/", "/reduce_conv1/"),
    ("/top_down{level}/", "/C3_p{level}/"),
    ("/downsample3/", "/bu_conv2/"),
    ("/downsample4/", "/bu_conv1/"),
    ("/bottom_up4/", "/C3_n3/"),
    ("/bottom_up5/", "/C3_n4/"),
    ("/main/", "/conv1/"),
    ("/bypass/", "/conv2/"),
    ("/fuse/", "/conv3/"),
    ("/bottleneck{block}/", "/m/{block-1}/"),
    ("/reduce/", "/conv1/"),
    ("/spatial/", "/conv2/"),
)
_DARKNET53: Rules = (
    ("/stem/", "/stem/0/"),
    ("/stage1_downsample/", "/stem/1/"),
    ("/stage1_block1/", "/stem/2/"),
    ("/stage{stage}_downsample/", "/dark{stage}/0/"),
    ("/stage{stage}_block{block}/", "/dark{stage}/{block}/"),
    ("/spp_conv1/", "/dark5/5/"),
    ("/spp_conv2/", "/dark5/6/"),
    ("/spp/reduce/", "/dark5/7/conv1/"),
    ("/spp/expand/", "/dark5/7/conv2/"),
    ("/spp_conv3/", "/dark5/8/"),
    ("/spp_conv4/", "/dark5/9/"),
    ("/reduce/", "/layer1/"),
    ("/spatial/", "/layer2/"),
    ("/lateral4/", "/out1_cbl/"),
    ("/lateral3/", "/out2_cbl/"),
    ("/top_down4_conv{number}/", "/out1/{number-1}/"),
    ("/top_down3_conv{number}/", "/out2/{number-1}/"),
)


def sources(name: str) -> tuple[Source, ...]:
    """Returns the authors' names, with another table for the variant on Darknet-53."""
    table = _DARKNET53 if VARIANTS[name].get("darknet53") else _CSP_DARKNET
    # The reference takes BGR images.
    layouts = (("backbone/stem/conv/kernel", BGR_STEM),)
    return (Source("authors", (*_COMMON, *table), layouts),)


def build(name: str, weights: Weights) -> YOLOX:
    """Builds the variant with as many classes as the weights have."""
    return yolox(name, num_classes=weights.size("head/stride8_class/bias", 80))


FAMILY = Family(VARIANTS, sources, build)
