"""GCN, Kipf and Welling 2016, https://arxiv.org/abs/1609.02907, and GraphSAGE beside it.

    python train.py --config configs/gcn.py
    python train.py --config configs/gcn.py:npz --config.data.path=cora.npz
    python train.py --config configs/gcn.py:planetoid --config.data.path=DIR/ind.cora

The argument names a variant (gcn, graph_sage_mean, graph_sage_max) and a source, in any order:
`drawn`, a random graph of four classes; `npz`, a file that holds `shape` (nodes, features), `row`
and `col` of the features that are 1, `edges`, `labels` and the nodes of `train`, `val` and `test`;
or `planetoid`, the eight files of Cora, Citeseer or PubMed of
https://github.com/kimiyoung/planetoid, `ind.cora.x` and so on, with their standard split. They are
pickles, of which nothing is executed. The path may be a folder with one graph.
Published accuracy on Cora, the mean of 100 seeds: 81.5%. Here, with --config.seed=0 and so on, mean
and standard deviation on two cores of an AMD EPYC, 28 November 2026: 81.7 +- 0.6% (gcn, 20 seeds),
78.1 +- 0.6% (graph_sage_mean, 5) and 73.5 +- 1.6% (graph_sage_max, 5), in 1 to 3 seconds of a
processor a run.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import node_classification
from jaxvision.recipes.words import words

recipe = node_classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source = words(
        arg,
        variant=("gcn", "graph_sage_mean", "graph_sage_max"),
        source=node_classification.SOURCES,
    )
    config = node_classification.defaults()
    config.update(variant=variant, log_every=50)
    config.data.source = source
    return config
