import numpy as np
import pytest

from jaxvision.pretrained import transfer


def variables(classes, features=8, value=0.0):
    return {
        "params": {
            "body": {"kernel": np.full((3, features), value)},
            "head": {"kernel": np.full((features, classes), value)},
        },
        "batch_stats": {"body": {"mean": np.full(features, value)}},
    }


def test_everything_is_taken_where_the_classes_agree(capsys):
    result = transfer(variables(2, value=1.0), variables(2))
    assert result["params"]["head"]["kernel"].min() == 1
    assert result["batch_stats"]["body"]["mean"].min() == 1
    assert "fresh" not in capsys.readouterr().out


def test_the_last_layer_stays_fresh_where_they_do_not(capsys):
    result = transfer(variables(5, value=1.0), variables(2))
    assert result["params"]["body"]["kernel"].min() == 1
    np.testing.assert_array_equal(result["params"]["head"]["kernel"], np.zeros((8, 2)))
    assert "fresh: head/kernel" in capsys.readouterr().out


def test_another_model_is_an_error():
    other = variables(2)
    other["params"]["neck"] = other["params"].pop("body")
    with pytest.raises(ValueError, match="of another model: only one has .*params/"):
        transfer(other, variables(2))


def test_another_size_is_an_error():
    with pytest.raises(ValueError, match="another size of model: 0 of 48 values fit"):
        transfer(variables(2, features=16), variables(2, features=8))


def test_one_part_is_taken_where_the_rest_is_another_model(capsys):
    detector = variables(2)
    detector["params"]["neck"] = {"kernel": np.zeros((4, 4))}
    result = transfer(variables(5, value=1.0), detector, part="body")
    assert result["params"]["body"]["kernel"].min() == 1
    assert result["batch_stats"]["body"]["mean"].min() == 1
    assert result["params"]["neck"]["kernel"].max() == result["params"]["head"]["kernel"].max() == 0
    assert "started from weights: 32 of 32 values" in capsys.readouterr().out
