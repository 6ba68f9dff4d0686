"""A classifier whose images are whitened by those of training."""

import jax
import numpy as np
import pytest

from jaxvision.data.classification import classification_source
from jaxvision.data.classification_examples import classification_eval_example
from jaxvision.data.whitening import zca
from jaxvision.inference.load import load
from jaxvision.recipes import classification
from jaxvision.recipes.whitening import whitening
from jaxvision.train import loop


def config_of(**changes):
    config = classification.defaults()
    config.update(variant="mlp_sigmoid", image_size=8, batch_size=8, mean=(0.0,), std=(1.0,))
    config.update({"normalise": "zca", "num_workers": 0, "epochs": 1, **changes})
    config.model.widths = (6, 4)
    config.data.update(source="digits", train_images=40, val_images=16, val="test")
    config.augment.update(crop="pad", padding=0, flip=0)
    config.ema.decay = 0.9
    return config


def test_a_run_whitens_by_its_training_images(tmp_path):
    config = config_of()
    experiment = classification.experiment(config)
    found = loop.run(experiment, tmp_path)
    source = classification_source("digits", None, "train", length=40)
    example = classification_eval_example(source, (8, 8), resize=9)
    grey = np.stack([example(i)["image"] for i in range(40)]).mean(axis=-1) / 255
    centred = grey - grey.mean(axis=(1, 2), keepdims=True)
    deviation = np.sqrt(centred.var(axis=(1, 2), keepdims=True) + 10 / 255**2)
    expected = zca([centred / deviation], 0.1)
    loaded = load(tmp_path)
    state = loaded.model_state["whitening"]["zca"]
    np.testing.assert_allclose(state["mean"], expected.mean, atol=1e-5)
    np.testing.assert_allclose(state["matrix"], expected.matrix, rtol=1e-3, atol=1e-3)
    assert np.abs(state["matrix"] - np.eye(64)).max() > 0.5
    metrics = loaded.evaluate("val")
    assert metrics["accuracy"] == found.metrics["val/accuracy"]
    jax.tree.map(np.testing.assert_array_equal, state, found.state.model_state["whitening"]["zca"])


def test_other_normalisations_have_no_whitening():
    config = config_of(normalise="contrast")
    task = classification.task(config, dict(INFO))
    assert whitening(config, None, task, 7) == ()


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan"), float("inf")])
def test_wrong_epsilon(epsilon):
    config = config_of(zca_epsilon=epsilon)
    with pytest.raises(ValueError, match="zca_epsilon must be"):
        whitening(config, None, classification.task(config, dict(INFO)), 7)


INFO = dict(class_names=list("0123456789"), multi_label=False, class_weights=[], train_images=40)
