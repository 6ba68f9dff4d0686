"""node2vec, Grover and Leskovec 2016, https://arxiv.org/abs/1607.00653, and DeepWalk beside it.

    python train.py --config configs/node2vec.py
    python train.py --config configs/node2vec.py:npz --config.data.path=cora.npz
    python train.py --config configs/node2vec.py:planetoid --config.data.path=DIR/ind.cora

The argument names a method (`node2vec`, whose walks go back rarely and far, or `deepwalk`,
https://arxiv.org/abs/1403.6652, with hierarchical softmax) and a source (`drawn`, a random graph of
four classes, or `npz` or `planetoid`, the files of configs/gcn.py). `val/accuracy` and
`test/accuracy` are those of logistic regression on the vectors, fitted to the training nodes.
Citeseer has nodes without edges, for which --config.walk.isolated=keep.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import node_classification, node_embedding
from jaxvision.recipes.words import words

recipe = node_embedding


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    method, source = words(arg, method=("node2vec", "deepwalk"), source=node_classification.SOURCES)
    config = node_embedding.defaults()
    config.data.source = source
    if method == "deepwalk":
        config.loss.output = "hierarchical"
    else:
        config.walk.update(p=1.0, q=0.5)
    if source == "drawn":
        config.update(size=32, epochs=2)
        config.walk.update(count=5, length=40)
    return config
