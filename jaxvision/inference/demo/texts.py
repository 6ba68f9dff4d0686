"""Answers to texts: translations, continuations, classes, near words, and samples of classes."""

import itertools
import json
from http import HTTPStatus
from typing import Any

from jaxvision.inference.demo.answers import Answers, address
from jaxvision.inference.demo.requests import Refused
from jaxvision.inference.sampler import Sampler
from jaxvision.inference.text_classifier import TextClassifier
from jaxvision.inference.text_generator import TextGenerator
from jaxvision.inference.translator import Translator
from jaxvision.inference.word_vectors import WordVectors

# Bytes of a text.
_MAX_TEXT = 20_000
# Classes and near words that are shown, and samples.
_TOP, _SAMPLES = 8, 16


class Texts(Answers):
    """Answers to what was typed.

    Attributes:
        predictor: What is asked.
        label: What to type.
        action: What the button says.
        heading: Of the answer.
    """

    content = "application/json"
    label: str
    action: str
    heading: str

    def __init__(self, predictor: Any) -> None:
        super().__init__(_MAX_TEXT)
        self.predictor = predictor

    def read(self, body: bytes) -> str:
        """Returns the text of a JSON object; see `Answers.read`."""
        try:
            text = json.loads(body)["text"]
            # JSON may hold halves of characters, which no text encoding can.
            text.encode()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Refused(
                HTTPStatus.BAD_REQUEST, 'expected JSON as {"text": "a sentence"}'
            ) from error
        return text

    def example(self) -> str:
        """Returns a short text."""
        return "a"

    def _more(self) -> dict[str, Any]:
        return {"label": self.label, "action": self.action, "heading": self.heading}


class Translations(Texts):
    """A translation of each line."""

    kind = "translator"
    label, action, heading = "Text, a sentence on each line", "Translate", "Translation"

    predictor: Translator

    def predict(self, found: str) -> dict[str, Any]:
        """Returns the lines."""
        lines = [line.strip() for line in found.splitlines()]
        return {"lines": [each.text for each in self.predictor(lines)] if lines else []}


class Continuations(Texts):
    """A text that goes on, another way each time."""

    kind = "text generator"
    label, action, heading = "Beginning of a text", "Continue", "Text"

    predictor: TextGenerator

    def __init__(self, generator: TextGenerator) -> None:
        super().__init__(generator)
        self._seeds = itertools.count()

    def predict(self, found: str) -> dict[str, Any]:
        """Returns the lines of the beginning and what follows."""
        text = self.predictor.generate(found.strip(), seed=next(self._seeds))
        return {"lines": text.splitlines()}


class TextClasses(Texts):
    """The most probable classes of a text."""

    kind = "text classifier"
    label, action, heading = "Text", "Classify", "Classes"

    predictor: TextClassifier

    def predict(self, found: str) -> dict[str, Any]:
        """Returns the classes with their probabilities."""
        result = self.predictor(" ".join(found.split()))
        return {"names": [result.name], "classes": result.top(_TOP)}

    def example(self) -> str:
        """Returns what any vocabulary has a number for."""
        return "a a a"

    def _more(self) -> dict[str, Any]:
        return {**super()._more(), "classes": list(self.predictor.class_names)}


class NearWords(Texts):
    """The words nearest to a word, or to the answer of an analogy."""

    kind = "word vectors"
    label = "A word, or man:king:woman for who is to woman as king is to man"
    action, heading = "Find", "Nearest words, by the cosine"

    predictor: WordVectors

    def __init__(self, vectors: WordVectors) -> None:
        super().__init__(vectors.replaced(top=_TOP))

    def predict(self, found: str) -> dict[str, Any]:
        """Returns the words with their cosines."""
        near = self.predictor.look_up(found.strip())
        pairs = list(zip(near.words, near.cosines, strict=True))
        return {"names": [], "classes": pairs}

    def example(self) -> str:
        """Returns the most frequent word."""
        return self.predictor.words[0]


class DrawnSamples(Texts):
    """Images that a generative model makes, others each time."""

    kind = "sampler"
    action, heading = "Draw", f"{_SAMPLES} samples"

    predictor: Sampler

    def __init__(self, sampler: Sampler) -> None:
        super().__init__(sampler)
        self._seeds = itertools.count()
        self.label = "Classes, as 3, 7; none for all" if sampler.class_names else ""

    def predict(self, found: str) -> dict[str, Any]:
        """Returns a picture of the samples."""
        classes = [name.strip() for name in found.split(",") if name.strip()]
        samples = self.predictor.sample(_SAMPLES, seed=next(self._seeds), classes=classes or None)
        return {"names": [samples.summary()], "picture": address(samples.plot())}

    def example(self) -> str:
        """Returns a request for all classes."""
        return ""

    def _more(self) -> dict[str, Any]:
        return {**super()._more(), "classes": list(self.predictor.class_names)}
