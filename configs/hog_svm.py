"""HOG and linear SVMs: Histograms of Oriented Gradients for Human Detection, Dalal and Triggs 2005.

https://inria.hal.science/inria-00548512; there is no paper on arXiv.

    python train.py --config configs/hog_svm.py
    python train.py --config configs/hog_svm.py:full,voc --config.data.path=DIR

The sliding window of before CNNs, to compare with. The argument names a variant, `full` for windows
of 64 pixels, and a source: see `configs/yolox.py`.
Measured on `shapes` after three epochs, 1:29 on two CPU cores beside other work: AP 0.234, AP50
0.470.
Departs from the paper: square windows; the SVMs are trained by steps over the hardest windows of
each batch.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=("tiny", "full"))
    config = detection.defaults("hog_svm")
    config.variant = "hog_svm_tiny" if variant == "tiny" else "hog_svm"
    detection.from_source(config, source, values)
    if config.data.source == "shapes":
        config.optimizer.update(learning_rate=5e-3, weight_decay=1e-3)
        config.update(epochs=3)
    return config
