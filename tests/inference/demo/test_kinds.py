"""What the demo answers for each kind of predictor beside detectors, segmenters and translators."""

import base64
import json

import cv2
import numpy as np
import pytest
from grid import LEFT, RIGHT
from grid import model as few_shot
from painter import sampler
from untrained import text_classifier, text_generator, upscaler, word_vectors

from jaxvision.inference.demo.kinds import answers
from jaxvision.inference.demo.requests import Refused
from jaxvision.inference.node_classifier import NodeClassifier

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
    made = answers(text_generator(), LIMIT)
    texts = ["\n".join(made.predict("a good")["lines"]) for _ in range(2)]
    assert texts[0] != texts[1] and all(text.startswith("a good") for text in texts)


def test_classes_of_a_text():
    model = text_classifier()
    found = asked(model, "A good\n film ")
    expected = model("a good film")
    assert found["names"] == [expected.name]
    assert [tuple(pair) for pair in found["classes"]] == expected.top()
    with pytest.raises(ValueError, match="a text must hold words"):
        asked(model, " ")


def test_words_near_a_word_and_an_analogy():
    vectors = word_vectors()
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
