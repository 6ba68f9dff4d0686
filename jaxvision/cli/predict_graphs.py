"""The classes of the nodes of graphs."""

import argparse
from typing import Any

from jaxvision.cli.predict import message, save_results
from jaxvision.data.errors import DataError
from jaxvision.inference.outputs.item import Item
from jaxvision.recipes.node_classification import open_graph


def predict_graphs(classifier: Any, options: argparse.Namespace) -> int:
    """Prints how many nodes of each graph are of each class; returns the exit code.

    Without INPUT the graph is that of the run. One that cannot be read, or has other features, is a
    message, and the exit code 1.

    Raises:
        DataError: If the graph of the run is no longer there.
        OSError: If a file cannot be written.
    """
    found, faults = [], 0
    if not options.inputs:
        data = classifier.origin.config.data
        found.append((data.path or data.source, classifier(open_graph(data))))
    for word in options.inputs:
        try:
            found.append((word, classifier(word)))
        except (DataError, ValueError) as error:
            message(f"error: {error}")
            faults += 1
    for name, result in found:
        print(f"{name}: {result.summary()}", flush=True)
    save_results(options, [(Item(name, name), result) for name, result in found])
    return 1 if faults else 0
