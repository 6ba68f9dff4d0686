"""Which answers the demo gives for which predictor."""

from collections.abc import Callable
from typing import Any

from jaxvision.inference.classifier import Classifier
from jaxvision.inference.clip_classifier import ClipClassifier
from jaxvision.inference.demo.answers import Answers
from jaxvision.inference.demo.pictures import (
    Detections,
    Enlargements,
    ImageClasses,
    LabelMaps,
)
from jaxvision.inference.demo.texts import (
    Continuations,
    DrawnSamples,
    NearWords,
    TextClasses,
    Translations,
)
from jaxvision.inference.detector import Detector
from jaxvision.inference.few_shot import FewShotClassifier
from jaxvision.inference.predictor import Predictor
from jaxvision.inference.sampler import Sampler
from jaxvision.inference.segmenter import Segmenter
from jaxvision.inference.text_classifier import TextClassifier
from jaxvision.inference.text_generator import TextGenerator
from jaxvision.inference.translator import Translator
from jaxvision.inference.upscaler import Upscaler
from jaxvision.inference.word_vectors import WordVectors

_PICTURES: dict[type[Predictor], Callable[[Any, int], Answers]] = {
    Detector: Detections,
    Classifier: ImageClasses,
    FewShotClassifier: ImageClasses,
    Segmenter: LabelMaps,
    Upscaler: Enlargements,
}
_TEXTS: dict[type[Predictor], Callable[[Any], Answers]] = {
    Translator: Translations,
    TextGenerator: Continuations,
    TextClassifier: TextClasses,
    WordVectors: NearWords,
    Sampler: DrawnSamples,
}


def answers(predictor: Predictor, limit: int) -> Answers:
    """Returns the answers of a predictor.

    Args:
        predictor: Of a run or an exported file.
        limit: Bytes of a picture, at most.

    Raises:
        ValueError: If it takes neither pictures nor texts, as one of graphs, or has no classes yet.
    """
    if isinstance(predictor, FewShotClassifier) and predictor.supports is None:
        raise ValueError(
            "give labelled images by --support, a folder with a folder of images for each class"
        )
    if isinstance(predictor, ClipClassifier):
        raise ValueError(
            "the demo takes pictures or texts, and this run takes clips; use jaxvision predict"
        )
    for kind, pictures in _PICTURES.items():
        if isinstance(predictor, kind):
            return pictures(predictor, limit)
    for kind, texts in _TEXTS.items():
        if isinstance(predictor, kind):
            return texts(predictor)
    raise ValueError(
        f"the demo takes pictures or texts, and this is a {type(predictor).__name__}; use "
        "jaxvision predict"
    )
