"""Drawn opinions whose class depends on the order of their words: no download.

"the soup was not bad but the staff seemed rude" is negative: what follows "but" or "and" counts,
and "not" turns it round. Both classes have the same words equally often, so that a network which
does not read the order stays near chance.
"""

import numpy as np

from jaxvision.ops import ranges

CLASSES = ("negative", "positive")
_TOPICS = (
    *("soup", "bread", "room", "staff", "view", "film"),
    *("music", "garden", "price", "beach", "train", "street"),
)
_VERBS = ("was", "seemed", "felt", "became")
# Negative and positive.
_WORDS = (
    ("bad", "rude", "cold", "noisy", "dull", "broken", "stale", "ugly", "slow", "dirty"),
    ("good", "kind", "warm", "quiet", "bright", "fine", "fresh", "pretty", "quick", "clean"),
)


def drawn_opinions(count: int, *, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Draws opinions of one or two clauses.

    Args:
        count: Their number.
        seed: Another seed is other opinions.

    Returns:
        The texts, and the class of each [count] int32, equally often.

    Raises:
        ValueError: If the number is out of its range.
    """
    ranges.check({"data.texts": count}, "[10, 10_000_000]", "data.texts")
    rng = np.random.default_rng([seed, count])
    labels = rng.permutation(np.arange(count) % 2).astype(np.int32)
    texts = []
    for label in labels.tolist():
        clauses = [_clause(rng, label)]
        if rng.random() < 2 / 3:
            # "and" joins what agrees, "but" what does not.
            word, before = ("and", label) if rng.random() < 0.25 else ("but", 1 - label)
            clauses = [_clause(rng, before), word, *clauses]
        texts.append(" ".join(clauses))
    return texts, labels


def _clause(rng: np.random.Generator, opinion: int) -> str:
    turned = rng.random() < 0.5
    word = rng.choice(_WORDS[1 - opinion if turned else opinion])
    denied = "not " if turned else ""
    return f"the {rng.choice(_TOPICS)} {rng.choice(_VERBS)} {denied}{word}"
