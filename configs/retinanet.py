"""RetinaNet: Focal Loss for Dense Object Detection, Lin et al. 2017.

https://arxiv.org/abs/1708.02002.

    python train.py --config configs/retinanet.py
    python train.py --config configs/retinanet.py:voc --config.data.path=DIR
    python train.py --config configs/retinanet.py:coco2017 --config.data.path=DIR \
        --config.weights=retinanet_resnet50_fpn_coco-eeacb38b.pth

The argument names the format of the data (shapes, coco, voc, yolo, csv, tfds, packed); `coco2017`
is the paper's recipe for COCO. The network is ResNet-50 with a feature pyramid;
`--config.backbone=resnet18` puts another one under it. Published AP on COCO with 500 pixels: 32.5
(table 1e); torchvision's weights, of images of 800 pixels, reach 36.4; not measured here. Measured
on `shapes`: AP 0.789, AP50 0.971 after ten epochs of a small network.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    source, values = detection.parse(arg)
    config = detection.defaults("retinanet")
    detection.from_source(config, source, values)
    if config.data.source == "shapes":
        config.variant = "retinanet_tiny"
        config.loss.anchor_scale = 2.0  # objects are as small as 16 pixels
        config.optimizer.clip_norm = 1.0
        config.schedule.final_ratio = 0.0
        config.eval.epochs = 2
    return config
