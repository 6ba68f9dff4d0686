"""Residual networks over space and time, Tran et al. 2018, https://arxiv.org/abs/1711.11248.

    python train.py --config configs/video.py
    python train.py --config configs/video.py:mc3_18
    python train.py --config configs/video.py:r3d_18,video_folder --config.data.path=DIR

The argument names a network (`small`, an R3D of a quarter of the width and one block a stage,
`r3d_18`, `mc3_18`, `r2plus1d_18`, `ji_3d_cnn`: Ji et al. 2013 on grey values, gradients and
optical flow) and a source (`motions`: drawn shapes whose class is the way that
they move, so that single frames tell nothing; `video_folder`: DIR holds `train/<class>/` and
`val/<class>/` with video files or folders of frames). Torchvision's weights of Kinetics are read by
`--config.weights=r3d_18.pth`.

Measured on drawn clips: accuracy 1.000 after 5:32 on two shared cores.

Departs from the paper: clips are not mirrored, as a mirror image of a motion may be another one.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    network, source = words(
        arg,
        network=("small", "r3d_18", "mc3_18", "r2plus1d_18", "ji_3d_cnn"),
        source=("motions", "video_folder"),
    )
    config = classification.defaults()
    config.update(variant="r3d_18" if network == "small" else network)
    config.update(image_size=112, batch_size=16, epochs=45, mean=(0.432, 0.395, 0.376))
    config.update(std=(0.228, 0.221, 0.217))
    config.augment.update(flip=0.0, crop_area=0.5)
    config.data.update(source=source, frames=16)
    config.optimizer.update(name="momentum", learning_rate=0.01, weight_decay=1e-4)
    if network == "small":
        config.model = ConfigDict(dict(widths=(16, 32, 64, 128), depths=(1, 1, 1, 1)))
    if network == "ji_3d_cnn":
        config.update(image_size=60)
        config.data.frames = 7
    if source == "motions":
        config.epochs = 5
        config.data.update(train_images=2_000, val_images=400)
        if network != "ji_3d_cnn":
            config.image_size, config.data.frames = 32, 8
        config.augment.update(crop="pad", padding=0)
        config.optimizer.update(name="adamw", learning_rate=2e-3)
        config.eval.resize = 0.0
    return config
