"""Super-resolution weights of the references that the networks are equal to."""

from typing import Any

from flax import linen as nn

from jaxvision.models.super_resolution import discriminator, rrdbnet, srcnn, srresnet, zssr
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.layout import flattened
from jaxvision.pretrained.names import TORCH_LEAVES, Rules

_SRCNN: Rules = (
    ("^extract/", "conv1/"),
    ("^map/", "conv2/"),
    ("^reconstruct/", "conv3/"),
    *TORCH_LEAVES,
)
_SRRESNET: Rules = (
    ("^stem/", "conv1/0/"),
    ("^stem_act/", "conv1/1/"),
    ("^block{block}_first/conv/", "trunk/{block-1}/rcb/0/"),
    ("^block{block}_first/norm/", "trunk/{block-1}/rcb/1/"),
    ("^block{block}_act/", "trunk/{block-1}/rcb/2/"),
    ("^block{block}_second/conv/", "trunk/{block-1}/rcb/3/"),
    ("^block{block}_second/norm/", "trunk/{block-1}/rcb/4/"),
    ("^trunk/conv/", "conv2/0/"),
    ("^trunk/norm/", "conv2/1/"),
    ("^upsample{stage}/", "upsampling/{stage-1}/upsample_block/0/"),
    ("^upsample{stage}_act/", "upsampling/{stage-1}/upsample_block/2/"),
    ("^head/", "conv3/"),
    ("/slope$", "/weight"),
    *TORCH_LEAVES,
)
_RRDBNET: Rules = (
    ("^stem/", "conv_first/"),
    ("^block{block}/dense{dense}/", "RRDB_trunk/{block-1}/RDB{dense}/"),
    ("^trunk/", "trunk_conv/"),
    ("^upsample{stage}/", "upconv{stage}/"),
    ("^head1/", "HRconv/"),
    ("^head2/", "conv_last/"),
    *TORCH_LEAVES,
)
_ZSSR: Rules = (("^conv{layer}/", "conv/{layer-1}/"), *TORCH_LEAVES)
# Behind the first, each convolution is followed by normalisation and activation: three modules.
_DISCRIMINATOR: Rules = (
    ("^stage1_conv1/", "features/0/"),
    *(
        (f"^stage{stage}_conv{number}/{part}/", f"features/{6 * stage + 3 * number - 10 + shift}/")
        for stage in range(1, 5)
        for number in (1, 2)
        for shift, part in enumerate(("conv", "norm"))
        if (stage, number) != (1, 1)
    ),
    ("^hidden/", "classifier/0/"),
    ("^head/", "classifier/2/"),
    *TORCH_LEAVES,
)


def _family(label: str, rules: Rules, names: Any, build: Any, **options: Any) -> Family:
    layouts = options.pop("layouts", ())

    def sources(name: str) -> tuple[Source, ...]:
        del name
        return (Source(label, rules, layouts=layouts),)

    def built(name: str, weights: Weights) -> nn.Module:
        del weights
        return build(name)

    return Family(tuple(names), sources, built, **options)


FAMILIES = (
    _family("srcnn", _SRCNN, srcnn.VARIANTS, srcnn.srcnn, channels=lambda weights: 1),
    _family("lornatang", _SRRESNET, srresnet.VARIANTS, srresnet.srresnet),
    _family("xinntao", _RRDBNET, rrdbnet.VARIANTS, rrdbnet.rrdbnet),
    _family("zssr", _ZSSR, zssr.VARIANTS, zssr.zssr),
    _family(
        "lornatang",
        _DISCRIMINATOR,
        discriminator.VARIANTS,
        discriminator.discriminator,
        image_side=96,
        layouts=(("hidden/kernel", flattened(side=6)),),
    ),
)
