"""Parallel text prepared by TensorFlow Datasets as array_record files."""

from typing import Any

from jaxvision.data.errors import DataError, OnFault, stop
from jaxvision.data.text.parallel import ParallelText


def text_records(
    records: Any, features: Any, name: str, *, source: str, target: str, on_fault: OnFault = stop
) -> ParallelText:
    """Reads records in the form of the translation datasets of TFDS.

    Args:
        records: Sequence of {language: a sentence as UTF-8}.
        features: Features of the dataset, one for each language.
        name: Name of the records in messages.
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
        pair = [_text(record[language]) for language in (source, target)]
        empty = [
            language for language, text in zip((source, target), pair, strict=True) if not text
        ]
        if empty:
            on_fault(
                DataError(
                    f"{name}[{index}]: expected a sentence, got no text in {empty[0]}; set "
                    "data.empty_lines to drop for such pairs"
                )
            )
            continue
        kept.append(index)
        for side, text in zip(sentences, pair, strict=True):
            side.append(text)
    return ParallelText(*sentences, place=lambda index: f"{name}[{kept[index]}]")


def _text(value: Any) -> str:
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()
