"""Byte-pair encoding of text into subwords (Sennrich et al. 2015, https://arxiv.org/abs/1508.07909).

Merges start from bytes, not from characters, so that any text can be encoded and is decoded without
loss, except for surrounding white space and Unicode composition, which is normalised (NFC).
"""

import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.extras import library
from jaxvision.ops import ranges

PAD, START, END = 0, 1, 2
_SPECIAL = ("<pad>", "<s>", "</s>")
_BYTES = 256


class SubwordTokenizer:
    """Maps sentences to tokens and back; needs the optional extra `text`.

    Attributes:
        vocabulary_size: V; tokens are in [0, V), the first three are `PAD`, `START` and `END`.
    """

    def __init__(self, json: str) -> None:
        """Restores a tokenizer from its JSON; a ValueError says if it is something else."""
        tokenizers = library("tokenizers", "text")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(json)
        except Exception as error:  # the library raises no subclass
            raise ValueError(f"expected the JSON of a tokenizer: {error}") from error
        if tuple(map(self._tokenizer.id_to_token, range(3))) != _SPECIAL:
            raise ValueError(f"the first tokens must be {', '.join(_SPECIAL)}")
        # Text that looks like a special token is encoded as text.
        self._tokenizer.encode_special_tokens = True
        self.vocabulary_size: int = self._tokenizer.get_vocab_size()

    @classmethod
    def train(cls, sentences: Iterable[str], vocabulary_size: int) -> "SubwordTokenizer":
        """Learns a vocabulary; the same sentences give the same vocabulary.

        Args:
            sentences: Sentences in all languages of the vocabulary.
            vocabulary_size: Number of tokens; fewer if the sentences have fewer subwords.

        Raises:
            ValueError: If the vocabulary is too small to hold every byte, or above a million.
        """
        smallest = _BYTES + len(_SPECIAL)
        # The library takes memory for all of them at once, and ends the process if there is none.
        numbers = {"vocabulary_size": vocabulary_size}
        ranges.check(numbers, f"[{smallest}, 1_000_000]", "vocabulary_size")
        tokenizers = library("tokenizers", "text")
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        normalizers = [tokenizers.normalizers.NFC(), tokenizers.normalizers.Strip()]
        tokenizer.normalizer = tokenizers.normalizers.Sequence(normalizers)
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=vocabulary_size,
            special_tokens=list(_SPECIAL),
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(sentences, trainer)
        return cls(tokenizer.to_str())

    @classmethod
    def load(cls, path: str | pathlib.Path) -> "SubwordTokenizer":
        """Reads a file that holds the JSON of a tokenizer.

        Raises:
            DataError: If the file cannot be read or holds something else.
        """
        try:
            return cls(pathlib.Path(path).read_text())
        except (OSError, ValueError) as error:
            raise DataError(f"cannot read the tokenizer {path}: {error}") from error

    def json(self) -> str:
        """Returns the tokenizer as JSON text."""
        return self._tokenizer.to_str(pretty=True) + "\n"

    def encode(self, sentences: Sequence[str]) -> list[np.ndarray]:
        """Maps each sentence to tokens [T] int32, the last of which is `END`."""
        encoded = self._tokenizer.encode_batch(list(sentences), add_special_tokens=False)
        return [np.array([*each.ids, END], np.int32) for each in encoded]

    def decode(self, tokens: np.ndarray) -> str:
        """Maps tokens [T] to the sentence up to the first `END`, without special tokens."""
        ends = np.flatnonzero(np.asarray(tokens) == END)
        ids = np.asarray(tokens)[: ends[0] if len(ends) else None]
        return self._tokenizer.decode(ids[ids > END].tolist()).removeprefix(" ")

    def pieces(self, tokens: np.ndarray) -> list[str]:
        """Returns the text of each token [T], or its name; a dot begins what continues a word."""
        return [self._piece(int(token)) for token in tokens]

    def _piece(self, token: int) -> str:
        if token <= END:
            return _SPECIAL[token]
        text = self._tokenizer.decode([token])
        if "\ufffd" in text:
            text = self._tokenizer.id_to_token(token)
        return text[1:] if len(text) > 1 and text[0] == " " else f"\N{MIDDLE DOT}{text}"
