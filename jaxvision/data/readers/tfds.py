"""Datasets prepared by TensorFlow Datasets as array_record files.

Labels or boxes of all records are read once at the start, for which TFDS reads whole records;
images stay encoded and on disk until they are asked for.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from jaxvision.data.annotations import from_rows
from jaxvision.data.errors import DataError, OnFault, stop
from jaxvision.data.readers.checks import check_classes, class_index, dropping
from jaxvision.data.sources.files import DetectionFiles
from jaxvision.data.sources.labelled import LabelledFiles
from jaxvision.data.text.classes import TextClasses
from jaxvision.data.text.parallel import ParallelText

T = TypeVar("T")


def prepared(wrap: Callable[..., T], path: str, split: str, *, name: str, **options: Any) -> T:
    """Opens a split of a prepared dataset, its images left encoded.

    Args:
        wrap: `detection_records`, `labelled_records` or `text_records`. For the images of ImageNet,
            a folder opens faster.
        path: TFDS's data folder.
        split: `train`, `validation[:10%]`, ...
        name: The dataset, as `voc/2007`.
        **options: As for `wrap`.

    Raises:
        DataError: If the dataset is not prepared as array_record under `path`, or has no such
            split; or as `wrap` does.
    """
    # Optional to those who read files, and slow to import.
    import tensorflow_datasets

    try:
        builder = tensorflow_datasets.builder(name, data_dir=path)
        features: Any = builder.info.features
        skip = tensorflow_datasets.decode.SkipDecoding()
        records = builder.as_data_source(
            split=split,  # pyright: ignore[reportCallIssue]
            decoders={"image": skip} if "image" in features else None,
        )
    # TFDS raises exceptions of many kinds here: no such dataset, not prepared, another file format,
    # no such split, TensorFlow missing.
    except Exception as error:
        # The first line; the next ones list every dataset there is.
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataError(
            f"{path}: cannot open {name!r}, split {split!r}: {reason}. It has to be prepared there "
            "with file_format='array_record', which needs TensorFlow (pip install 'jaxvision[tf]')."
        ) from error
    return wrap(records, features, f"{path}/{name}/{split}", **options)


class _Labels:
    """The classes of a feature, and their indices among those to use."""

    def __init__(
        self, feature: Any, classes: tuple[str, ...] | None, records: str, field: str
    ) -> None:
        self._own = tuple(feature.names)
        self._records, self._field = records, field
        self._found: dict[int, int] = {}
        self.names = check_classes(self._own if classes is None else classes, f"{records}: {field}")

    def index(self, record: int, label: Any) -> int:
        """Returns the index of a record's label; raises DataError if its class is unknown."""
        number, where = int(label), f"{self._records}[{record}]"
        if not 0 <= number < len(self._own):
            raise DataError(
                f"{where}: {self._field} must be in [0, {len(self._own)}), got {number}"
            )
        if number not in self._found:
            name = self._own[number]
            self._found[number] = class_index(name, self.names, f"{where}: {self._field}")
        return self._found[number]


def detection_records(
    records: Any,
    features: Any,
    name: str,
    classes: tuple[str, ...] | None = None,
    *,
    strict: bool = False,
    on_fault: OnFault = stop,
) -> DetectionFiles:
    """Wraps records of the form that TFDS's detection datasets have.

    Args:
        records: Sequence of {"image": encoded bytes, "objects": {"bbox": [n, 4] as ymin, xmin,
            ymax, xmax in [0, 1], "label": [n]}}; `is_crowd` [n] is used where it exists.
        features: `features["objects"]["label"].names` are the classes.
        name: What to call the records in messages.
        classes: As for `detection_source`.
        strict: As for `detection_source`.
        on_fault: Called with the error of each object of an unknown class; if it returns, the
            object is dropped.

    Raises:
        DataError: If the features lack the boxes, or a class is unknown.
    """
    try:
        features["objects"]["bbox"]
        known = _Labels(features["objects"]["label"], classes, name, "objects/label")
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{name}: expected the features objects/bbox and objects/label, got {features}"
        ) from error
    if not len(records):
        raise DataError(f"{name}: the split is empty; expected at least one image")

    image, boxes, labels, crowd = [], [], [], []
    for index in range(len(records)):
        objects = records[index]["objects"]
        flags = objects.get("is_crowd", np.zeros(len(objects["label"]), bool))
        for box, label, flag in zip(objects["bbox"], objects["label"], flags, strict=True):
            with dropping(on_fault):
                labels.append(known.index(index, label))
                ymin, xmin, ymax, xmax = box
                image.append(index)
                boxes.append((xmin, ymin, xmax, ymax))
                crowd.append(flag)
    folder, stem = os.path.split(name)
    paths = [f"{stem}[{index}]" for index in range(len(records))]
    annotations = from_rows(
        folder, paths, None, image=image, boxes=boxes, classes=labels, crowd=crowd
    )
    return DetectionFiles(annotations, known.names, strict=strict, read=_images(records))


def _images(records: Any) -> Callable[[int], bytes]:
    return lambda index: bytes(records[index]["image"])


def labelled_records(
    records: Any, features: Any, name: str, classes: tuple[str, ...] | None = None
) -> LabelledFiles:
    """Wraps records of the form that TFDS's classification datasets have.

    Args:
        records: Sequence of {"image": encoded bytes, "label": int}.
        features: `features["label"].names` are the classes.
        name: As for `detection_records`.
        classes: As for `detection_records`.

    Raises:
        DataError: If the features lack the image or the label, or a class is unknown.
    """
    try:
        features["image"]
        known = _Labels(features["label"], classes, name, "label")
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{name}: expected the features image and label, got {features}") from error
    labels = [known.index(index, records[index]["label"]) for index in range(len(records))]
    return LabelledFiles(
        name,
        known.names,
        np.array(labels, np.int32),
        read=_images(records),
        image_name=lambda index: f"{name}[{index}]",
    )


def text_class_records(
    records: Any, features: Any, name: str, *, classes: tuple[str, ...] | None = None
) -> TextClasses:
    """Reads records of the form that TFDS's text classification datasets have, all of them.

    Args:
        records: Sequence of {"text": UTF-8, "label": int}.
        features: `features["label"].names` are the classes.
        name: As for `detection_records`.
        classes: As for `detection_records`.

    Raises:
        DataError: If the features lack text or label, a class is unknown, or a text is empty.
    """
    try:
        features["text"]
        known = _Labels(features["label"], classes, name, "label")
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{name}: expected the features text and label, got {features}") from error

    def row(index: int) -> tuple[str, str, str]:
        record = records[index]
        number = known.index(index, record["label"])
        return known.names[number], f"{name}[{index}]", _text(record["text"])

    return TextClasses.of(map(row, range(len(records))), name, known.names)


def text_records(
    records: Any, features: Any, name: str, *, source: str, target: str, on_fault: OnFault = stop
) -> ParallelText:
    """Reads records of the form that TFDS's translation datasets have, all of them.

    Args:
        records: Sequence of {language: a sentence as UTF-8}.
        features: Features of the dataset, one for each language.
        name: As for `detection_records`.
        source: Language to translate from: `en`, for example.
        target: Language to translate to.
        on_fault: Called with an error for every pair with an empty sentence; if it returns, the
            pair is dropped.

    Raises:
        DataError: If there is no such language, no record, or a sentence is empty.
    """
    for language in (source, target):
        if language not in features:
            known = ", ".join(features)
            raise DataError(
                f"{name}: expected a feature {language} with text, got the features {known}; set "
                "data.from_language and data.to_language to two languages of these"
            )
    if not len(records):
        raise DataError(f"{name}: the split is empty; expected at least one pair of sentences")
    kept, sentences = [], ([], [])
    for index in range(len(records)):
        record = records[index]
        pair = {language: _text(record[language]) for language in (source, target)}
        empty = [language for language, text in pair.items() if not text]
        if empty:
            on_fault(
                DataError(
                    f"{name}[{index}]: expected a sentence, got no text in {empty[0]}; set "
                    "data.empty_lines to drop for such pairs"
                )
            )
            continue
        kept.append(index)
        sentences[0].append(pair[source])
        sentences[1].append(pair[target])
    return ParallelText(*sentences, place=lambda index: f"{name}[{kept[index]}]")


def _text(value: Any) -> str:
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()
