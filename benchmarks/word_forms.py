"""How often two forms of a word are near each other, in files of vectors as word2vec writes them.

    python benchmarks/word_forms.py ours.txt theirs.txt

A pair is two words of the vocabulary of which the second is the first with -s, -ed, -ing, -ly, a
comma or a full stop, as texts have them that were not cut into tokens. It counts if one is among
the ten words nearest to the other, by cosine. A line of JSON for each file, and one for guesses:
ten words at random, and the ten whose frequency is nearest, as the words of a file are sorted by
it.
"""

import argparse
import json
import pathlib
from collections.abc import Sequence

import numpy as np

from jaxvision.data.text.vectors_file import read_vectors

ENDINGS = ("s", "ed", "ing", "ly", ",", ".")
SHORTEST, NEAREST = 3, 10


def pairs_of(words: Sequence[str]) -> np.ndarray:
    """Returns the numbers of the pairs [n, 2]."""
    numbers = {word: i for i, word in enumerate(words)}
    found = [
        (i, numbers[word + ending])
        for word, i in numbers.items()
        if len(word) >= SHORTEST
        for ending in ENDINGS
        if word + ending in numbers
    ]
    return np.array(found, int).reshape(-1, 2)


def share_near(scores: np.ndarray, pairs: np.ndarray) -> float:
    """Returns the share of pairs of which one is among the best of the other's row, or the reverse.

    Args:
        scores: Of every two words [V, V], higher is nearer.
        pairs: [n, 2].
    """
    np.fill_diagonal(scores, -np.inf)
    near = []
    for first, second in pairs:
        ranks = [(scores[a] > scores[a, b]).sum() for a, b in ((first, second), (second, first))]
        near.append(min(ranks) < NEAREST)
    return float(np.mean(near))


def main() -> None:
    """Measures each file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=pathlib.Path, nargs="+")
    words: Sequence[str] = ()
    pairs = np.zeros((0, 2), int)
    for file in parser.parse_args().files:
        words, vectors = read_vectors(file)
        pairs = pairs_of(words)
        unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        share = share_near(unit @ unit.T, pairs)
        found = {"file": file.name, "words": len(words), "pairs": len(pairs)}
        print(json.dumps({**found, "near": round(share, 4)}))
    rng = np.random.default_rng(0)
    place = np.arange(len(words), dtype=np.float32)
    by_frequency = -np.abs(place[:, None] - place[None])
    guessed = share_near(rng.random((len(words), len(words)), np.float32), pairs)
    frequent = share_near(by_frequency, pairs)
    print(json.dumps({"at random": round(guessed, 4), "of near frequency": round(frequent, 4)}))


if __name__ == "__main__":
    main()
