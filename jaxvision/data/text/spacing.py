"""Texts as they are written, made ready for a tokenizer that splits at spaces."""

import re

# Words, their apostrophes included, and single other characters.
_WORDS = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


def spaced(text: str, unit: str, *, lower: bool) -> str:
    """Puts one space between the words and marks of a text, or for white space in it.

    Args:
        text: With or without line breaks.
        unit: `word` or `character`, as of `WordTokenizer`.
        lower: Whether capital letters become small ones.
    """
    text = text.lower() if lower else text
    return " ".join(_WORDS.findall(text) if unit == "word" else text.split())
