"""All families of models whose reference weights are read and written."""

from jaxvision.models.variant import unknown
from jaxvision.pretrained import (
    alexnet,
    darknet,
    darknet_names,
    dcgan,
    ddpm,
    densenet,
    dilated,
    embedding,
    faster_rcnn,
    fcn,
    gcn,
    googlenet,
    gpt,
    inception_v3,
    mobilenet_v3,
    recurrent,
    resnet,
    retinanet,
    segnet,
    ssd,
    super_resolution,
    swin,
    unet,
    vgg,
    video,
    vit,
    xception,
    yolov5,
    yolov8,
    yolox,
)
from jaxvision.pretrained.family import Family, Source

FAMILIES = (
    yolox.FAMILY,
    *darknet_names.FAMILIES,
    yolov5.FAMILY,
    yolov8.FAMILY,
    retinanet.FAMILY,
    ssd.FAMILY,
    faster_rcnn.FAMILY,
    unet.FAMILY,
    fcn.FAMILY,
    dilated.FAMILY,
    segnet.FAMILY,
    segnet.DECONVNET_FAMILY,
    *super_resolution.FAMILIES,
    alexnet.FAMILY,
    vgg.FAMILY,
    googlenet.FAMILY,
    inception_v3.FAMILY,
    resnet.FAMILY,
    resnet.SE_FAMILY,
    densenet.FAMILY,
    mobilenet_v3.FAMILY,
    xception.FAMILY,
    darknet.FAMILY,
    vit.FAMILY,
    swin.FAMILY,
    *recurrent.FAMILIES,
    gpt.FAMILY,
    gcn.FAMILY,
    ddpm.FAMILY,
    *dcgan.FAMILIES,
    *video.FAMILIES,
    *embedding.FAMILIES,
)


def family(name: str) -> Family:
    """Returns the family of a variant.

    Raises:
        ValueError: If there is none; the message lists similar names.
    """
    for candidate in FAMILIES:
        if name in candidate.names:
            return candidate
    known = [n for candidate in FAMILIES for n in candidate.names]
    raise ValueError(unknown("name", name, known))


def source(name: str, label: str | None = None) -> Source:
    """Returns a source of a variant's weights, by default its first.

    Args:
        name: A variant, as `models.variants()` lists them.
        label: Such as "torchvision".

    Raises:
        ValueError: If there is no such variant or source.
    """
    sources = family(name).sources(name)
    if label is None:
        return sources[0]
    for candidate in sources:
        if candidate.label == label:
            return candidate
    labels = ", ".join(candidate.label for candidate in sources)
    raise ValueError(f"source of {name} must be one of {labels}, got {label}")
