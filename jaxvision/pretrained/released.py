"""Where the references' released weights are: address, licence and checksum of each file.

torchvision and timm write the first hexadecimal digits of a file's SHA-256 into its name, which is
the checksum here. YOLOX, the authors of Swin, and Google publish none: such a download cannot be
verified, and its digest is shown instead. Nothing of this is part of the package: who downloads
weights takes them under their own licence.
"""

import re
from typing import NamedTuple

from jaxvision.models.variant import unknown

_TORCHVISION = "https://download.pytorch.org/models/"
_YOLOX = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/"
_TIMM = "https://github.com/rwightman/pytorch-image-models/releases/download/"
_SWIN = "https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
_AUGREG = "https://storage.googleapis.com/vit_models/augreg/"


class Released(NamedTuple):
    """A file of weights that its authors have released.

    Attributes:
        variant: What it is of, a name of `models.variants()`.
        url: Its official address.
        publisher: Who released it.
        licence: SPDX identifier of the publisher's code and weights.
        sha256: First digits of its SHA-256, lower case; empty where the publisher names none.
    """

    variant: str
    url: str
    publisher: str
    licence: str
    sha256: str = ""

    @property
    def file(self) -> str:
        """Name of the file, which never has a folder in it."""
        return re.sub(r"[^\w.+-]", "_", self.url.rpartition("/")[2]).lstrip(".")


def _hashed(variant: str, url: str, publisher: str, licence: str) -> Released:
    """Returns a row whose checksum is in the name of the file, as resnet50-0676ba61.pth."""
    found = re.search(r"-([0-9a-f]{8,})\.\w+$", url)
    if found is None:
        raise ValueError(f"expected a file name that ends in its checksum, got {url}")
    return Released(variant, url, publisher, licence, found[1])


def _torchvision(*files: str, variant: str = "") -> dict[str, Released]:
    rows = {}
    for file in files:
        name = variant or file.rpartition("-")[0]
        rows[name] = _hashed(name, f"{_TORCHVISION}{file}.pth", "torchvision", "BSD-3-Clause")
    return rows


def _timm(variant: str, path: str) -> Released:
    return _hashed(variant, f"{_TIMM}{path}.pth", "timm", "Apache-2.0")


def _augreg(variant: str, size: str, options: str) -> Released:
    file = f"{size}-i21k-300ep-lr_0.001-aug_{options}-res_224.npz"
    return Released(variant, _AUGREG + file, "Google (AugReg)", "Apache-2.0")


def _yolox(variant: str, file: str) -> Released:
    return Released(variant, f"{_YOLOX}{file}.pth", "YOLOX", "Apache-2.0")


def _swin(variant: str, size: str) -> Released:
    url = f"{_SWIN}swin_{size}_patch4_window7_224.pth"
    return Released(variant, url, "authors of Swin", "MIT")


# A name is that of the variant, for further files of it with the publisher after a dot.
RELEASED: dict[str, Released] = {
    "yolox_darknet53": _yolox("yolox_darknet53", "yolox_darknet"),
    **{f"yolox_{x}": _yolox(f"yolox_{x}", f"yolox_{x}") for x in ("nano", "tiny", *"smlx")},
    **_torchvision("retinanet_resnet50_fpn_coco-eeacb38b", variant="retinanet_resnet50_fpn"),
    **_torchvision("fasterrcnn_resnet50_fpn_coco-258fb6c6", variant="faster_rcnn_resnet50_fpn"),
    **_torchvision("maskrcnn_resnet50_fpn_coco-bf2d0c1e", variant="mask_rcnn_resnet50_fpn"),
    **_torchvision("ssd300_vgg16_coco-b556d3b4", variant="ssd300_vgg16"),
    **_torchvision("fcn_resnet50_coco-1167a1af", variant="fcn_resnet50"),
    **_torchvision("fcn_resnet101_coco-7ecb50ca", variant="fcn_resnet101"),
    **_torchvision("deeplabv3_resnet50_coco-cd0a2569", variant="deeplabv3_resnet50"),
    **_torchvision("deeplabv3_resnet101_coco-586e9e4e", variant="deeplabv3_resnet101"),
    **_torchvision("alexnet-owt-7be5be79", variant="alexnet"),
    **_torchvision("vgg11-8a719046", "vgg13-19584684", "vgg16-397923af", "vgg19-dcbb9e9d"),
    **_torchvision("vgg11_bn-6002323d", "vgg13_bn-abd245e5"),
    **_torchvision("vgg16_bn-6c64b313", "vgg19_bn-c79401a0"),
    **_torchvision("googlenet-1378be20"),
    **_torchvision("inception_v3_google-0cc3c7bd", variant="inception_v3"),
    **_torchvision("resnet18-f37072fd", "resnet34-b627a593", "resnet50-0676ba61"),
    **_torchvision("resnet101-63fe2227", "resnet152-394f9c45"),
    **_torchvision("resnext50_32x4d-7cdf4587", "resnext101_32x8d-8ba56ff5"),
    **_torchvision("resnext101_64x4d-173b62eb"),
    **_torchvision("densenet121-a639ec97", "densenet161-8d451a50"),
    **_torchvision("densenet169-b2777c0a", "densenet201-c1103571"),
    **_torchvision("mobilenet_v3_small-047dcff4", "mobilenet_v3_large-8738ca79"),
    **_torchvision("vit_b_16-c867db91", "vit_b_32-d86f8d99"),
    **_torchvision("vit_l_16-852ce7e3", "vit_l_32-c7638314"),
    **_torchvision("swin_t-704ceda3", "swin_s-5e29d889", "swin_b-68c6b09e"),
    "seresnet50": _timm("seresnet50", "v0.1-weights/seresnet50_ra_224-8efdb4bb"),
    "darknet53": _timm("darknet53", "v0.1-tpu-weights/darknet53_256_c2ns-3aeff817"),
    "cspdarknet53": _timm("cspdarknet53", "v0.1-weights/cspdarknet53_ra_256-d05c7c21"),
    "swin_t.authors": _swin("swin_t", "tiny"),
    "swin_s.authors": _swin("swin_s", "small"),
    "swin_b.authors": _swin("swin_b", "base"),
    "vit_ti_16": _augreg(
        "vit_ti_16", "Ti_16", "none-wd_0.03-do_0.0-sd_0.0--imagenet2012-steps_20k-lr_0.03"
    ),
    "vit_s_16": _augreg(
        "vit_s_16", "S_16", "light1-wd_0.03-do_0.0-sd_0.0--imagenet2012-steps_20k-lr_0.03"
    ),
    "vit_s_32": _augreg(
        "vit_s_32", "S_32", "light1-wd_0.03-do_0.0-sd_0.0--imagenet2012-steps_20k-lr_0.03"
    ),
    "vit_b_16.augreg": _augreg(
        "vit_b_16", "B_16", "medium1-wd_0.1-do_0.0-sd_0.0--imagenet2012-steps_20k-lr_0.01"
    ),
    "vit_b_32.augreg": _augreg(
        "vit_b_32", "B_32", "medium1-wd_0.03-do_0.0-sd_0.0--imagenet2012-steps_20k-lr_0.03"
    ),
    "vit_l_16.augreg": _augreg(
        "vit_l_16", "L_16", "medium1-wd_0.1-do_0.1-sd_0.1--imagenet2012-steps_20k-lr_0.01"
    ),
}


def released(name: str) -> Released:
    """Returns the file of a name.

    Raises:
        ValueError: If there is none; the message lists similar names.
    """
    if name not in RELEASED:
        raise ValueError(unknown("name", name, list(RELEASED)))
    return RELEASED[name]
