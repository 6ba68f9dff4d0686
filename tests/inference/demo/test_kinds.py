"""What the demo answers for each kind of predictor beside detectors, segmenters and translators."""

import base64
import json

import cv2
import jax
import numpy as np
import pytest
from grid import LEFT, RIGHT
from grid import model as few_shot
from painter import sampler

from jaxvision import models
from jaxvision.data.text.word_tokenizer import WordTokenizer
from jaxvision.data.windows import Windows
from jaxvision.inference.demo.kinds import answers
from jaxvision.inference.demo.requests import Refused
from jaxvision.inference.node_classifier import NodeClassifier
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
LIMIT = 100_000


def asked(predictor, body):
    """Returns the answer to the body of a request, as JSON."""
    made = answers(predictor, LIMIT)
    made.predict(made.example())
    if isinstance(body, str):
        body = json.dumps({"text": body}).encode()
    else:
        body = cv2.imencode(".png", body)[1].tobytes()
    return json.loads(json.dumps(made.predict(made.read(body))))


def decoded(address):
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    content = np.frombuffer(base64.b64decode(data), np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_UNCHANGED)[..., ::-1]


def upscaler():
    network = models.super_resolution("srresnet_x2", blocks=1, features=4)
    task = SuperResolution(network, 2)
    batch = {name: np.zeros((1, s, s, 3), np.uint8) for name, s in (("image", 8), ("target", 16))}
    params, state = jax.jit(task.init)(KEY, batch)
    return Upscaler(task, {"params": params, **state}, Windows(64, 8))


def test_a_picture_is_enlarged():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    found = asked(upscaler(), image[..., ::-1])
    assert (found["height"], found["width"], found["names"]) == (40, 60, ["30 x 20 to 60 x 40"])
    np.testing.assert_array_equal(decoded(found["overlay"]), upscaler()(image).upscaled)


def test_a_picture_that_would_become_too_large_is_refused():
    with pytest.raises(Refused, match=r"at most 4,000,000 pixels, which becomes 2 times as wide"):
        asked(upscaler(), np.zeros((2001, 2000, 3), np.uint8))


def test_the_class_is_that_of_the_labelled_images():
    supported = few_shot().replaced(support={"left": [LEFT], "right": [RIGHT]})
    found = asked(supported, RIGHT)
    assert found["names"] == ["right"] and found["classes"][0][0] == "right"
    with pytest.raises(ValueError, match="give labelled images by --support"):
        answers(few_shot(), LIMIT)


def test_a_text_goes_on_another_way_each_time():
    network = models.language_model(
        "lstm_lm", vocabulary_size=TOKENIZER.vocabulary_size, features=8
    )
    variables = network.init(KEY, TOKENS, train=False)
    made = answers(TextGenerator(LanguageModelling(network, TOKENIZER, window=4), variables), LIMIT)
    texts = ["\n".join(made.predict("a good")["lines"]) for _ in range(2)]
    assert texts[0] != texts[1] and all(text.startswith("a good") for text in texts)


def test_classes_of_a_text():
    network = models.text_classifier(
        "lstm_text", vocabulary_size=TOKENIZER.vocabulary_size, num_classes=2, features=8
    )
    variables = network.init(KEY, TOKENS, np.ones(1, np.int32), train=False)
    model = TextClassifier(TextClassification(network, TOKENIZER, ("bad", "good")), variables)
    found = asked(model, "A good\n film ")
    expected = model("a good film")
    assert found["names"] == [expected.name]
    assert [tuple(pair) for pair in found["classes"]] == expected.top()
    with pytest.raises(ValueError, match="a text must hold words"):
        asked(model, " ")


def test_words_near_a_word_and_an_analogy():
    table = np.array([[1, 0], [0.9, 0.1], [0, 1], [-1, 0]], np.float32)
    task = WordEmbedding(("king", "queen", "man", "of"), (4, 3, 2, 1), size=2)
    tables = {"words": table, "outputs": table}
    vectors = WordVectors(task, {"params": tables})
    assert [word for word, _ in asked(vectors, " king ")["classes"]] == ["queen", "man", "of"]
    expected = vectors.analogy("man", "king", "queen").words
    found = asked(vectors, "man:king:queen")["classes"]
    assert tuple(word for word, _ in found) == expected
    with pytest.raises(ValueError, match="expected a word of the 4 in the run, got 'knight'"):
        asked(vectors, "knight")


def test_samples_of_the_classes_that_are_asked_for():
    grey = decoded(asked(sampler(), "grey, light")["picture"])
    assert {100, 200} < set(np.unique(grey)) and 0 not in np.unique(grey)
    assert answers(sampler(), LIMIT).describe()["label"] == "Classes, as 3, 7; none for all"
    with pytest.raises(ValueError, match="classes must be of black, grey, light, got 'red'"):
        asked(sampler(), "red")


def test_what_takes_neither_pictures_nor_texts_is_refused():
    of_graphs = NodeClassifier.__new__(NodeClassifier)
    with pytest.raises(ValueError, match="takes pictures or texts, and this is a NodeClassifier"):
        answers(of_graphs, LIMIT)
