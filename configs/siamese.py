"""Siamese networks: Koch et al. 2015, and the contrastive loss of Hadsell et al. 2006.

http://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf

    python train.py --config configs/siamese.py
    python train.py --config configs/siamese.py:koch,omniglot --config.data.path=DIR

The argument names a method (`contrastive` on Conv4; `koch`: cross entropy of a weighted L1 distance
on the paper's network, 38,951,745 parameters) and a source (`glyphs`, which are drawn and need no
download, `omniglot`), in any order. Pairs come from episodes: an image of each class with another
one of it, and with one of the next class. Published 20-way 1-shot accuracy of Koch's on Omniglot:
92.0%. Measured on Latin, contrastive, 5:30 on two shared cores: 5-way 1-shot 83.1 +- 0.9%, 5-way
5-shot 91.7 +- 0.6%, 20-way 1-shot 58.6 +- 0.5%.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import few_shot
from jaxvision.recipes.words import words

recipe = few_shot


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    method, source = words(arg, method=("contrastive", "koch"), source=few_shot.SOURCES)
    config = few_shot.defaults()
    config.update(epochs=8, num_workers=2)
    config.data.update(source=source, val="Latin" if source == "omniglot" else "val")
    config.episode.update(way=32, query=1)
    config.loss.update(name="contrastive", margin=1.0)
    config.optimizer.update(name="adam", learning_rate=1e-3)
    config.eval.epochs = 4
    if method == "koch":
        config.update(variant="siamese_koch", image_size=105)
        config.loss.name = "siamese"
        config.optimizer.learning_rate = 1e-4
    return config
