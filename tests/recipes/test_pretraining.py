"""A classifier that starts from restricted Boltzmann machines."""

import jax
import numpy as np
import pytest

from jaxvision.data.classification import classification_source
from jaxvision.recipes import classification
from jaxvision.recipes.pretraining import pretraining


def config_of(**values):
    config = classification.defaults()
    config.update(variant="mlp_sigmoid", image_size=8, batch_size=8, mean=(0.0,), std=(1.0,))
    config.model.widths = (6, 4)
    config.data.update(source="digits", train_images=16, val_images=8, val="test")
    config.pretrain.update({"steps": 5, **values})
    return config


def source():
    return classification_source("digits", None, "train", length=16)


def network(config):
    info = dict(class_names=list("0123456789"), multi_label=False, class_weights=[])
    return classification.task(config, info | {"train_images": 16}).model


def test_layers_are_those_of_the_machines():
    config = config_of()
    model = network(config)
    (start,) = pretraining(config, source(), model, 8)
    found = start.variables()["params"]["backbone"]
    shapes = jax.eval_shape(
        lambda: model.init(jax.random.key(0), np.zeros((1, 8, 8, 1), np.float32), train=False)
    )
    expected = jax.tree.map(lambda x: x.shape, shapes["params"]["backbone"])
    assert jax.tree.map(np.shape, found) == expected
    # Most pixels are black, which the second machine does not see.
    assert found["layer1"]["kernel"].std() > 0.01 and found["layer2"]["bias"].any()


def test_no_steps_are_no_start():
    config = config_of(steps=0)
    assert pretraining(config, source(), network(config), 8) == ()


@pytest.mark.parametrize(
    ("group", "values", "message"),
    [
        (
            "pretrain",
            dict(learning_rate=float("nan")),
            "learning_rate must be above 0, got nan",
        ),
        ("pretrain", dict(gibbs_steps=0), "pretrain.gibbs_steps must be in .* got 0"),
        ("", dict(variant="lenet5_modern"), "pretrain.steps is for mlp_sigmoid, set it to 0 for"),
        ("", dict(mean=(0.5,)), "needs grey images in"),
    ],
)
def test_wrong_values(group, values, message):
    config = config_of()
    if "variant" in values:
        del config.model.widths
    (config[group] if group else config).update(values)
    with pytest.raises(ValueError, match=message):
        pretraining(config, source(), network(config), 8)
