"""Small predictors of first parameters: an upscaler, and those of texts and words."""

import jax
import numpy as np

from jaxvision import models
from jaxvision.data.text.word_tokenizer import WordTokenizer
from jaxvision.data.windows import Windows
from jaxvision.inference.text_classifier import TextClassifier
from jaxvision.inference.text_generator import TextGenerator
from jaxvision.inference.upscaler import Upscaler
from jaxvision.inference.word_vectors import WordVectors
from jaxvision.tasks.language_modelling import LanguageModelling
from jaxvision.tasks.super_resolution import SuperResolution
from jaxvision.tasks.text_classification import TextClassification
from jaxvision.tasks.word_embedding import WordEmbedding

KEY = jax.random.key(0)
TOKENS = np.zeros((1, 2), np.int32)
TOKENIZER = WordTokenizer.train(["a good bad film"], 9)
SIZES = dict(vocabulary_size=TOKENIZER.vocabulary_size, features=8)


def upscaler():
    network = models.super_resolution("srresnet_x2", blocks=1, features=4)
    task = SuperResolution(network, 2)
    batch = {name: np.zeros((1, s, s, 3), np.uint8) for name, s in (("image", 8), ("target", 16))}
    params, state = jax.jit(task.init)(KEY, batch)
    return Upscaler(task, {"params": params, **state}, Windows(64, 8))


def text_generator():
    network = models.language_model("lstm_lm", **SIZES)
    variables = network.init(KEY, TOKENS, train=False)
    return TextGenerator(LanguageModelling(network, TOKENIZER, window=4), variables)


def text_classifier():
    network = models.text_classifier("lstm_text", num_classes=2, **SIZES)
    variables = network.init(KEY, TOKENS, np.ones(1, np.int32), train=False)
    return TextClassifier(TextClassification(network, TOKENIZER, ("bad", "good")), variables)


def word_vectors():
    table = np.array([[1, 0], [0.9, 0.1], [0, 1], [-1, 0]], np.float32)
    task = WordEmbedding(("king", "queen", "man", "of"), (4, 3, 2, 1), size=2)
    return WordVectors(task, {"params": {"words": table, "outputs": table}})
