"""Networks only, arrays in, arrays out: the catalogue.

For example:
    model = models.classifier("resnet50", num_classes=10)
    variables = model.init(jax.random.key(0), images, train=False)
    logits = model.apply(variables, images, train=False)

    backbone = models.backbone("resnet50")
    part = {name: tree["backbone"] for name, tree in variables.items()}
    features = backbone.apply(part, images, train=False)  # {4, 8, 16, 32: [B, H', W', C]}

    detector = models.yolox("yolox_s", num_classes=80)
    segmenter = models.segmenter("unet", num_classes=2)
    encoder = models.embedding("conv4")
    enlarger = models.super_resolution("srresnet_x4")
    translator = models.transformer("transformer_base", vocabulary_size=37_000)
    writer = models.language_model("gpt2", vocabulary_size=50_257)
    reader = models.text_classifier("bilstm_text", vocabulary_size=20_000, num_classes=2)
    layers = models.recurrent("lstm", features=128)
    network = models.graph_network("gcn", num_classes=7)
    denoiser = models.ddpm_unet("ddpm_cifar10")  # images, times -> predicted noise
    generator = models.generator("dcgan_generator")  # noise -> images
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flax import linen as nn

from jaxvision.models.backbones import alexnet as _alexnet
from jaxvision.models.backbones import csp_darknet53 as _csp_darknet53
from jaxvision.models.backbones import darknet as _darknet
from jaxvision.models.backbones import darknet19 as _darknet19
from jaxvision.models.backbones import densenet as _densenet
from jaxvision.models.backbones import googlenet as _googlenet
from jaxvision.models.backbones import inception_v3 as _inception_v3
from jaxvision.models.backbones import lenet as _lenet
from jaxvision.models.backbones import mlp as _mlp
from jaxvision.models.backbones import mobilenet_v3 as _mobilenet_v3
from jaxvision.models.backbones import nin as _nin
from jaxvision.models.backbones import resnet as _resnet
from jaxvision.models.backbones import resnet_cifar as _resnet_cifar
from jaxvision.models.backbones import spp_net as _spp_net
from jaxvision.models.backbones import swin as _swin
from jaxvision.models.backbones import vgg as _vgg
from jaxvision.models.backbones import vit as _vit
from jaxvision.models.backbones import xception as _xception
from jaxvision.models.backbones import zfnet as _zfnet
from jaxvision.models.detection import fast_rcnn as _fast_rcnn
from jaxvision.models.detection import faster_rcnn as _faster_rcnn
from jaxvision.models.detection import hog_svm as _hog_svm
from jaxvision.models.detection import mask_rcnn as _mask_rcnn
from jaxvision.models.detection import rcnn as _rcnn
from jaxvision.models.detection import retinanet as _retinanet
from jaxvision.models.detection import ssd as _ssd
from jaxvision.models.detection import yolov1 as _yolov1
from jaxvision.models.detection import yolov2 as _yolov2
from jaxvision.models.detection import yolov3 as _yolov3
from jaxvision.models.detection import yolov4 as _yolov4
from jaxvision.models.detection import yolov5 as _yolov5
from jaxvision.models.detection import yolov8 as _yolov8
from jaxvision.models.detection import yolox as _yolox
from jaxvision.models.detection.fast_rcnn import fast_rcnn
from jaxvision.models.detection.faster_rcnn import faster_rcnn
from jaxvision.models.detection.hog_svm import hog_svm
from jaxvision.models.detection.mask_rcnn import mask_rcnn
from jaxvision.models.detection.rcnn import rcnn, spp_net
from jaxvision.models.detection.retinanet import retinanet
from jaxvision.models.detection.ssd import ssd
from jaxvision.models.detection.yolov1 import yolov1
from jaxvision.models.detection.yolov2 import yolov2
from jaxvision.models.detection.yolov3 import yolov3
from jaxvision.models.detection.yolov4 import yolov4
from jaxvision.models.detection.yolov5 import yolov5
from jaxvision.models.detection.yolov8 import yolov8
from jaxvision.models.detection.yolox import yolox
from jaxvision.models.embedding import catalogue as _embedding
from jaxvision.models.embedding.catalogue import embedding
from jaxvision.models.generative import catalogue as _generative
from jaxvision.models.generative import ddpm_unet as _ddpm_unet
from jaxvision.models.generative.catalogue import discriminator, generator
from jaxvision.models.generative.ddpm_unet import ddpm_unet
from jaxvision.models.graph import catalogue as _graph
from jaxvision.models.graph.catalogue import graph_network
from jaxvision.models.segmentation import catalogue as _segmentation
from jaxvision.models.segmentation.catalogue import segmenter
from jaxvision.models.sequence import language_models as _language_models
from jaxvision.models.sequence import recurrent as _recurrent
from jaxvision.models.sequence import recurrent_classifier as _recurrent_classifier
from jaxvision.models.sequence import seq2seq as _seq2seq
from jaxvision.models.sequence import transformer as _transformer
from jaxvision.models.sequence.language_models import language_model
from jaxvision.models.sequence.recurrent import recurrent
from jaxvision.models.sequence.recurrent_classifier import text_classifier
from jaxvision.models.sequence.seq2seq import seq2seq
from jaxvision.models.sequence.transformer import transformer
from jaxvision.models.sequence.translators import translator
from jaxvision.models.super_resolution import catalogue as _super_resolution
from jaxvision.models.super_resolution.catalogue import super_resolution
from jaxvision.models.variant import unknown
from jaxvision.models.video import c3d as _c3d
from jaxvision.models.video import ji as _ji
from jaxvision.models.video import resnet as _clip_resnet

__all__ = [
    "backbone",
    "classifier",
    "embedding",
    "ddpm_unet",
    "discriminator",
    "fast_rcnn",
    "faster_rcnn",
    "generator",
    "graph_network",
    "hog_svm",
    "language_model",
    "mask_rcnn",
    "rcnn",
    "recurrent",
    "retinanet",
    "segmenter",
    "spp_net",
    "ssd",
    "super_resolution",
    "seq2seq",
    "text_classifier",
    "transformer",
    "translator",
    "variants",
    "yolov1",
    "yolov2",
    "yolov3",
    "yolov4",
    "yolov5",
    "yolov8",
    "yolox",
]


class _Family(NamedTuple):
    variants: Mapping[str, Any]
    backbone: Callable[..., nn.Module]
    classifier: Callable[..., nn.Module]


# A new family is one import and one row.
_FAMILIES = (
    _Family(_lenet.VARIANTS, _lenet.lenet, _lenet.lenet_classifier),
    _Family(_mlp.VARIANTS, _mlp.mlp, _mlp.mlp_classifier),
    _Family(_alexnet.VARIANTS, _alexnet.alexnet, _alexnet.alexnet_classifier),
    _Family(_zfnet.VARIANTS, _zfnet.zfnet, _zfnet.zfnet_classifier),
    _Family(_spp_net.VARIANTS, _spp_net.spp_net_backbone, _spp_net.spp_net_classifier),
    _Family(_nin.VARIANTS, _nin.nin, _nin.nin_classifier),
    _Family(_vgg.VARIANTS, _vgg.vgg, _vgg.vgg_classifier),
    _Family(_googlenet.VARIANTS, _googlenet.googlenet, _googlenet.googlenet_classifier),
    _Family(
        _inception_v3.VARIANTS, _inception_v3.inception_v3, _inception_v3.inception_v3_classifier
    ),
    _Family(_resnet.VARIANTS, _resnet.resnet, _resnet.resnet_classifier),
    _Family(
        _resnet_cifar.VARIANTS, _resnet_cifar.resnet_cifar, _resnet_cifar.resnet_cifar_classifier
    ),
    _Family(_densenet.VARIANTS, _densenet.densenet, _densenet.densenet_classifier),
    _Family(
        _mobilenet_v3.VARIANTS, _mobilenet_v3.mobilenet_v3, _mobilenet_v3.mobilenet_v3_classifier
    ),
    _Family(_xception.VARIANTS, _xception.xception, _xception.xception_classifier),
    _Family(_darknet19.VARIANTS, _darknet19.darknet19, _darknet19.darknet19_classifier),
    _Family(_darknet.VARIANTS, _darknet.darknet, _darknet.darknet_classifier),
    _Family(
        _csp_darknet53.VARIANTS,
        _csp_darknet53.csp_darknet53,
        _csp_darknet53.csp_darknet53_classifier,
    ),
    _Family(_vit.VARIANTS, _vit.vit, _vit.vit_classifier),
    _Family(_swin.VARIANTS, _swin.swin, _swin.swin_classifier),
    # These take clips [B, T, H, W, 3].
    _Family(_c3d.VARIANTS, _c3d.c3d, _c3d.c3d_classifier),
    _Family(_ji.VARIANTS, _ji.ji, _ji.ji_classifier),
    _Family(_clip_resnet.VARIANTS, _clip_resnet.clip_resnet, _clip_resnet.clip_resnet_classifier),
)


# Those of the other functions here.
_OTHERS = {
    "yolox": _yolox.VARIANTS,
    "yolov1": _yolov1.VARIANTS,
    "yolov2": _yolov2.VARIANTS,
    "yolov3": _yolov3.VARIANTS,
    "yolov4": _yolov4.VARIANTS,
    "yolov5": _yolov5.VARIANTS,
    "yolov8": _yolov8.VARIANTS,
    "retinanet": _retinanet.VARIANTS,
    "ssd": _ssd.VARIANTS,
    "hog_svm": _hog_svm.VARIANTS,
    "fast_rcnn": _fast_rcnn.VARIANTS,
    "faster_rcnn": _faster_rcnn.VARIANTS,
    "mask_rcnn": _mask_rcnn.VARIANTS,
    "rcnn": _rcnn.VARIANTS,
    "spp_net": _rcnn.SPP_VARIANTS,
    "segmenter": _segmentation.VARIANTS,
    "embedding": _embedding.VARIANTS,
    "super_resolution": _super_resolution.VARIANTS,
    "transformer": _transformer.VARIANTS,
    "seq2seq": _seq2seq.VARIANTS,
    "language_model": _language_models.VARIANTS,
    "text_classifier": _recurrent_classifier.VARIANTS,
    "recurrent": _recurrent.VARIANTS,
    "graph_network": _graph.VARIANTS,
    "ddpm_unet": _ddpm_unet.VARIANTS,
    "generator": _generative.GENERATORS,
    "discriminator": _generative.DISCRIMINATORS,
}
# Kinds whose networks have no field `backbone`.
_WHOLE = (
    "embedding",
    "segmenter",
    "super_resolution",
    "transformer",
    "seq2seq",
    "language_model",
    "text_classifier",
    "recurrent",
    "graph_network",
    "ddpm_unet",
    "generator",
    "discriminator",
)


def variants() -> tuple[str, ...]:
    """Names of all models, in the order of the catalogue."""
    return (
        *(name for family in _FAMILIES for name in family.variants),
        *(name for others in _OTHERS.values() for name in others),
    )


def backbone(name: str, **overrides: Any) -> nn.Module:
    """Builds a network from images [B, H, W, 3] to {stride: features [B, H', W', C]}.

    Those of video take clips [B, T, H, W, 3], and their features are [B, T', H', W', C].

    Args:
        name: A variant, as `variants` lists them.
        **overrides: Fields of the family's backbone.

    Raises:
        ValueError: If there is no such backbone; the message lists similar names.
    """
    return _family(name).backbone(name, **overrides)


def classifier(name: str, *, num_classes: int | None = None, **overrides: Any) -> nn.Module:
    """Builds a network from images [B, H, W, 3], or clips, to logits [B, K] in float32.

    Args:
        name: A variant, as `variants` lists them.
        num_classes: K, by default that of the reference: 1000 for ImageNet's networks, 10 for
            those of MNIST and CIFAR-10, 400 for Kinetics'.
        **overrides: Options of the family's factory, such as fields of its backbone.

    Raises:
        ValueError: If there is no such classifier; the message lists similar names.
    """
    if num_classes is not None:
        overrides["num_classes"] = num_classes
    return _family(name).classifier(name, **overrides)


def _family(name: str) -> _Family:
    for family in _FAMILIES:
        if name in family.variants:
            return family
    for kind, others in _OTHERS.items():
        if name in others:
            raise ValueError(
                f"name must be a backbone or a classifier, and {name} is built by "
                f"models.{kind}({name!r}, ...)"
                + ("" if kind in _WHOLE else ", whose field `backbone` is its backbone")
            )
    known = [n for family in _FAMILIES for n in family.variants]
    raise ValueError(unknown("name", name, known))
