"""DeconvNet: Learning Deconvolution Network for Semantic Segmentation, Noh et al. 2015.

https://arxiv.org/abs/1505.04366.

    python train.py --config configs/deconvnet.py
    python train.py --config configs/deconvnet.py:objects,voc --config.data.path=DIR \
        --workdir=runs/objects
    python train.py --config configs/deconvnet.py:voc --config.data.path=DIR \
        --config.weights=runs/objects

`objects` is the first of the paper's two stages (section 4.2): single objects, cut out with 1.2
times their extent, the rest background. The second starts from its weights.

Departs from the paper: the second stage has parts of whole images instead of object proposals.
Published mean IoU on VOC 2012 test: 69.6; not measured here. On `shapes` the network has a
sixteenth of the channels.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import segmentation

recipe = segmentation


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    stage, source = segmentation.parse(arg, stage=("images", "objects"))
    config = segmentation.defaults()
    segmentation.from_source(config, source)
    config.update(variant="deconvnet", image_size=(224, 224))
    if stage == "objects":
        config.augment.update(objects=True, scale=(1.0, 1.12))  # 250 pixels, of which 224 are cut
    if source == "shapes":
        config.variant = "deconvnet_small"
        config.optimizer.update(name="adamw", learning_rate=1e-3, weight_decay=1e-2, clip_norm=1.0)
    else:
        config.optimizer.update(
            name="momentum", learning_rate=0.01, momentum=0.9, weight_decay=5e-4
        )
    return config
