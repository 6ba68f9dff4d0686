"""Evaluations whose metrics are exact in every arrangement of processes and devices."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from toy import LinearTask

from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.data.detection_examples import DetectionEvalExample
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.sources.shapes import Shapes
from jaxvision.data.stream import Stream
from jaxvision.metrics.coco import COCODetection
from jaxvision.metrics.translation import TranslationQuality
from jaxvision.train import sharding
from jaxvision.train.evaluate import compile_predict, evaluate

SHAPES = Shapes(21, image_size=64, split="val")
WORDS = ("a", "man", "sees", "the", "red", "dog", "and", "one", "cat", "that", "runs", "home")


@dataclasses.dataclass(frozen=True)
class Found(LinearTask):
    """Finds the true boxes, a little off, with scores of which many are equal."""

    def predict(self, params, state, batch, *, key):
        number = batch["index"][:, None] * 7 + jnp.arange(batch["classes"].shape[1])[None]
        off = (number % 5).astype(jnp.float32)
        return {
            "boxes": batch["boxes"] + off[..., None],
            "scores": 1.0 - (number % 3) / 4.0,
            "classes": jnp.where(number % 4 == 0, 0, batch["classes"]),
            "valid": batch["valid"] & (number % 6 != 0),
            "looks": batch["image"][:2, 0, 0],  # of the first two images, as attention is
        }

    def measure(self, predictions, batch):
        assert len(predictions["looks"]) == 2
        found = {name: x for name, x in predictions.items() if name != "looks"}
        return COCODetection.from_model_output(**found, batch=batch, class_names=SHAPES.classes)


@dataclasses.dataclass(frozen=True)
class Translated(LinearTask):
    """Translates all but a word of each sentence."""

    def predict(self, params, state, batch, *, key):
        return jnp.sqrt(1.0 + batch["index"].astype(jnp.float32)), batch["index"] % 3

    def measure(self, predictions, batch):
        real = np.flatnonzero(batch["mask"])
        likelihood, correct = (x[real] for x in predictions)
        references = [batch["truth"][i] for i in real]
        tokens = np.array([len(text.split()) for text in references])
        hypotheses = [
            " ".join(word for j, word in enumerate(text.split()) if j != i % 7)
            for i, text in zip(batch["index"][real].tolist(), references, strict=True)
        ]
        return TranslationQuality.from_model_output(
            index=batch["index"][real].tolist(),
            hypotheses=hypotheses,
            references=references,
            negative_log_likelihood=likelihood,
            correct=correct,
            tokens=tokens,
        )


def sentence(index, rng):
    words = np.random.default_rng(index).choice(WORDS, 9)
    return {"index": np.int32(index), "truth": " ".join(words)}


def metrics():
    """COCO's and BLEU of all devices; in one of several processes, of its rows."""
    mesh = sharding.data_mesh()
    found = {}
    for task, example, length in (
        (Found(), DetectionEvalExample(SHAPES, Letterbox((64, 64))), len(SHAPES)),
        (Translated(), sentence, 19),
    ):
        stream = Stream(InOrder(length, 8), example)
        stream = stream.share(jax.process_index(), sharding.num_processes(mesh))
        predict = compile_predict(task, mesh)
        found |= evaluate(task, predict, ({}, {}), stream, mesh, seed=0, axis=stream.axis).metrics
    return found
