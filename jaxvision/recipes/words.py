"""The words of a config's argument: `configs/yolox.py:s,coco`."""

from collections.abc import Sequence


def words(arg: str, **choices: str | Sequence[str]) -> tuple[str, ...]:
    """Reads the words of an argument, in any order, each of which belongs to one choice.

        variant, source = words("coco,s", variant=("tiny", "s"), source=("shapes", "coco"))

    Args:
        arg: Words with commas between them; may be empty.
        **choices: By name, the words that a choice may be, its default first. A single string in
            place of a sequence is the default of a choice that takes any word which no other
            choice knows; there may be one of these.

    Returns:
        A word for each choice, in their order.

    Raises:
        ValueError: If a word is unknown, or two of them belong to one choice.
    """
    closed = {name: tuple(known) for name, known in choices.items() if not isinstance(known, str)}
    anything = next((name for name, known in choices.items() if isinstance(known, str)), None)
    chosen: dict[str, str] = {}
    for word in filter(None, arg.split(",")):
        name = next((name for name, known in closed.items() if word in known), anything)
        if name is None:
            known = ", ".join(word for words in closed.values() for word in filter(None, words))
            raise ValueError(f"the config's argument must be of {known}, got {word}")
        if name in chosen:
            raise ValueError(
                f"the config's argument must have one {name}, got {chosen[name]} and {word}"
            )
        chosen[name] = word
    first = {name: known if isinstance(known, str) else known[0] for name, known in choices.items()}
    return tuple((first | chosen).values())
