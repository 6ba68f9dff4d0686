"""Finds duplicate files: within a split, and between training and evaluation."""

import os

import numpy as np

from jaxvision.check.findings import Example, Finding, found
from jaxvision.check.images import ImageFacts
from jaxvision.data.sources.encoded import Encoded


def _keys(facts: ImageFacts) -> np.ndarray:
    """Returns the digests as one comparable value each [I]."""
    return np.ascontiguousarray(facts.digests).view("V16")[:, 0]


def _first_positions(keys: np.ndarray) -> dict[bytes, int]:
    """Returns where each key comes first; zeros, of files that were not read, are skipped."""
    positions = {}
    for position in reversed(range(len(keys))):
        positions[keys[position].tobytes()] = position
    positions.pop(bytes(16), None)
    return positions


def earlier_copy(facts: ImageFacts) -> np.ndarray:
    """Returns the first image with the same content as each one; itself if there is none [I]."""
    keys = _keys(facts)
    positions = _first_positions(keys)
    return np.array([positions.get(key.tobytes(), i) for i, key in enumerate(keys)], np.int64)


def check_copies(split: str, source: Encoded, facts: ImageFacts) -> list[Finding]:
    """Finds files in a split that equal an earlier one, byte by byte."""
    original = earlier_copy(facts)

    def example(index: int) -> Example:
        return Example(source.name(index), f"as {source.name(int(original[index]))}")

    return found("duplicate-image", split, original < np.arange(len(original)), example)


def check_overlap(
    train: Encoded, train_facts: ImageFacts, val: Encoded, val_facts: ImageFacts
) -> list[Finding]:
    """Finds evaluation images that share their content, or only their name, with a training one."""
    positions = _first_positions(_keys(train_facts))
    names = {os.path.basename(train.name(i)): i for i in reversed(range(len(train)))}
    content = np.array([positions.get(key.tobytes(), -1) for key in _keys(val_facts)])
    name = np.array([names.get(os.path.basename(val.name(i)), -1) for i in range(len(val))])

    def example(index: int) -> Example:
        other = content[index] if content[index] >= 0 else name[index]
        return Example(val.name(index), f"as {train.name(int(other))}")

    return [
        *found("image-in-both-splits", "val", content >= 0, example),
        *found("same-name", "val", (name >= 0) & (content < 0), example),
    ]
