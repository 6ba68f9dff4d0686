"""FCN weights of wkentaro/pytorch-fcn; its images are BGR in [0, 255] less Caffe's mean."""

from jaxvision.models.segmentation.fcn import FCN, VARIANTS, fcn
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.layout import TRANSPOSED_CONV
from jaxvision.pretrained.names import TORCH_LEAVES


def sources(name: str) -> tuple[Source, ...]:
    """Returns the names of a variant's weights; that of the last upsampling has its factor."""
    stride = VARIANTS[name]["stride"]
    last = "upscore" if stride == 32 else f"upscore{stride}"
    rules = (
        ("^backbone/stage{stage}_conv{number}/", "conv{stage}_{number}/"),
        ("^score/", "score_fr/"),
        ("^score16/", "score_pool4/"),
        ("^score8/", "score_pool3/"),
        ("^upsample32/", "upscore2/"),
        ("^upsample16/", "upscore_pool4/"),
        ("^upsample/", f"{last}/"),
        *TORCH_LEAVES,
    )
    return (Source("pytorch_fcn", rules, layouts=((r"upsample\d*/kernel", TRANSPOSED_CONV),)),)


def build(name: str, weights: Weights) -> FCN:
    """Builds the variant with as many classes as the weights have."""
    return fcn(name, num_classes=weights.size("score/bias", 21))


FAMILY = Family(tuple(VARIANTS), sources, build)
