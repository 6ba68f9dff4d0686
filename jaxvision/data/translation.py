"""Opens parallel text by the name of its format."""

import os

from jaxvision.data.errors import DataError, OnFault, stop
from jaxvision.data.readers.tfds_translation import tfds_translation
from jaxvision.data.text.parallel import ParallelText, read_parallel


def translation_source(
    source: str,
    path: str | None,
    split: str,
    *,
    from_language: str,
    to_language: str,
    on_fault: OnFault = stop,
) -> ParallelText:
    """Opens one split of parallel text.

    Args:
        source: `parallel`, two files with a sentence a line, or `tfds:<name>`, as
            `tfds:wmt16_translate/de-en`.
        path: Folder of the dataset.
        split: Name of the split, as the format has it; see the readers.
        from_language: To translate from, as the format names it: `en`, for example.
        to_language: To translate to.
        on_fault: Gets every pair of which a sentence is empty; it is left out if it returns, and by
            default the first one is raised.

    Raises:
        DataError: If the dataset has a fault.
        ValueError: If `source` is unknown.
    """
    kind, _, name = source.partition(":")
    if source != "parallel" and not (kind == "tfds" and name):
        raise ValueError(f"data.source must be one of parallel, tfds:<name>, got {source!r}")
    if not path:
        raise DataError(f"data.path must name the folder of the dataset for data.source={source}")
    if not split:
        raise DataError(f"data.train and data.val must name a split of {path}, got {split!r}")
    # No shell expands the ~ in --config.data.path=~/data.
    path = os.path.expanduser(path)
    options = dict(source=from_language, target=to_language)
    if kind == "tfds":
        return tfds_translation(path, split, name=name, on_fault=on_fault, **options)
    return read_parallel(path, split, on_fault=on_fault, **options)
