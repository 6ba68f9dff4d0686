"""Sentences and baskets drawn by a small grammar with known classes of words: no download.

Every noun has a singular and a plural and belongs to one of a few topics, whose verbs and
adjectives occur with it; so "one is to two" analogies and topics are known exactly.
"""

from typing import NamedTuple

import numpy as np

from jaxvision.ops import ranges

# Nouns, verbs and adjectives of each topic; plurals end in s, and verbs without s go with them.
TOPICS = {
    "animals": (
        "dog cat horse bird cow goat duck frog",
        "sleep run eat bark jump drink hide swim",
        "furry wild tame hungry lazy shy young loyal",
    ),
    "food": (
        "apple pear plum carrot melon onion olive grape",
        "ripen rot taste cook dry burn freeze smell",
        "sweet sour ripe fresh juicy bitter tender salty",
    ),
    "vehicles": (
        "car truck train tram plane rocket boat tractor",
        "brake start stop turn park crash accelerate roll",
        "fast noisy electric rusty heavy crowded shiny broken",
    ),
    "weather": (
        "cloud storm wind breeze shower thunder cyclone flood",
        "rise fall grow fade pass blow gather howl",
        "dark sudden mild cold violent distant warm strange",
    ),
}
_PLACES = "here there today often again outside"
_BASKET = (3, 8)


class DrawnText(NamedTuple):
    """Drawn sentences and what is known of their words.

    Attributes:
        sentences: Their words.
        analogies: "a is to b as c is to d" of singulars and plurals.
        classes: Topic of each noun, singular and plural.
    """

    sentences: list[list[str]]
    analogies: list[tuple[str, str, str, str]]
    classes: dict[str, str]


def drawn_text(num_sentences: int = 6000, *, seed: int = 0) -> DrawnText:
    """Draws sentences such as "this one furry dog sleeps here".

    Each noun prefers one verb and one adjective of its topic, which tells it from the others.

    Args:
        num_sentences: Their number.
        seed: Another seed is another text.

    Raises:
        ValueError: If the number is out of its range.
    """
    ranges.check({"sentences": num_sentences}, "[100, 10_000_000]", "sentences")
    rng = np.random.default_rng([seed, num_sentences])
    topics = [tuple(part.split() for part in parts) for parts in TOPICS.values()]
    places = _PLACES.split()
    topic = rng.integers(0, len(topics), num_sentences)
    noun, verb, adjective, place = (
        rng.integers(0, size, num_sentences) for size in (8, 8, 8, len(places))
    )
    verb = np.where(rng.random(num_sentences) < 0.7, noun, verb)
    adjective = np.where(rng.random(num_sentences) < 0.7, noun, adjective)
    plural = rng.random(num_sentences) < 0.5
    sentences = []
    for t, n, v, a, p, many in zip(topic, noun, verb, adjective, place, plural, strict=True):
        nouns, verbs, adjectives = topics[t]
        subject = [nouns[n] + "s", verbs[v]] if many else [nouns[n], verbs[v] + "s"]
        first = ["these", "all"] if many else ["this", "one"]
        sentences.append([*first, adjectives[a], *subject, places[p]])
    pairs = [(noun, noun + "s") for nouns, _, _ in topics for noun in nouns]
    analogies = [
        (*pairs[i], *pairs[j]) for i in range(len(pairs)) for j in rng.permutation(len(pairs))[:8]
    ]
    classes = {
        form: name
        for name, (nouns, _, _) in TOPICS.items()
        for noun in nouns.split()
        for form in (noun, noun + "s")
    }
    return DrawnText(sentences, [each for each in analogies if each[0] != each[2]], classes)


def drawn_baskets(num_baskets: int = 6000, *, seed: int = 0) -> DrawnText:
    """Draws baskets of items, most of them of one topic and in no order.

    Args:
        num_baskets: Their number.
        seed: Another seed is other baskets.

    Raises:
        ValueError: If the number is out of its range.
    """
    ranges.check({"sentences": num_baskets}, "[100, 10_000_000]", "sentences")
    rng = np.random.default_rng([seed, num_baskets, 1])
    items = [nouns.split() for nouns, _, _ in TOPICS.values()]
    everything = sum(items, [])
    baskets = []
    for _ in range(num_baskets):
        size = int(rng.integers(*_BASKET))
        own = list(rng.permutation(items[rng.integers(0, len(items))])[:size])
        basket = [str(each) for each in own]
        if rng.random() < 0.3:
            basket[0] = everything[int(rng.integers(0, len(everything)))]
        baskets.append(list(dict.fromkeys(basket)))
    classes = {item: name for name, group in zip(TOPICS, items, strict=True) for item in group}
    return DrawnText(baskets, [], classes)
