"""word2vec, Mikolov et al. 2013, https://arxiv.org/abs/1301.3781 and 1310.4546, and its relatives.

    python train.py --config configs/word2vec.py
    python train.py --config configs/word2vec.py:text,cbow --config.data.path=wap.train.txt.gz
    python train.py --config configs/word2vec.py:item2vec

The argument names a source (`drawn`, sentences of a small grammar whose analogies are known, or
`text`, files with a sentence a line), a variant (skip_gram, cbow, or doc2vec's pv_dm and pv_dbow of
https://arxiv.org/abs/1405.4053, whose documents are lines), an output (`negative` or
`hierarchical`), and `item2vec`, https://arxiv.org/abs/1603.04259, for baskets, a line each, whose
window is the whole set. Analogies in the format of questions-words.txt are measured with
--config.eval.analogies=FILE.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import word_embedding
from jaxvision.recipes.words import words
from jaxvision.tasks.word_embedding import OUTPUTS, VARIANTS

recipe = word_embedding


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    source, variant, output, kind = words(
        arg, source=("drawn", "text"), variant=VARIANTS, output=OUTPUTS, kind=("", "item2vec")
    )
    config = word_embedding.defaults()
    config.update(variant=variant)
    config.data.source = source
    config.loss.output = output
    if variant == "cbow":
        config.optimizer.learning_rate = 0.05
    if source == "drawn":
        config.update(epochs=10, size=32, batch_size=64)
        config.data.subsample = 0.0  # of 190 words, each is frequent
    if kind:
        config.loss.update(window=0, dynamic=False)
        config.data.subsample = 0.0
        config.data.source = "drawn_baskets" if source == "drawn" else source
    return config
