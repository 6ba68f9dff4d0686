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


def test_everything_is_taken_where_the_classes_agree():
    result = transfer(variables(2, value=1.0), variables(2))
    assert result.variables["params"]["head"]["kernel"].min() == 1
    assert result.variables["batch_stats"]["body"]["mean"].min() == 1
    assert result.taken == ("body/kernel", "body/mean", "head/kernel")
    assert result.fresh == ()
    assert result.message == "took 48 of 48 values"


def test_the_last_layer_stays_fresh_where_they_do_not():
    result = transfer(variables(5, value=1.0), variables(2))
    assert result.variables["params"]["body"]["kernel"].min() == 1
    np.testing.assert_array_equal(result.variables["params"]["head"]["kernel"], np.zeros((8, 2)))
    assert result.fresh == ("head/kernel",)
    assert result.message == "took 32 of 48 values; fresh: head/kernel [8, 2]"


def test_another_model_is_an_error_that_lists_both_sides():
    other = variables(2)
    other["params"]["neck"] = other["params"].pop("body")
    with pytest.raises(ValueError, match="another model: 24 of 48 values fit") as error:
        transfer(other, variables(2), strict=True)
    message = str(error.value)
    assert "only in the model, or of another shape there: body/kernel [3, 8]" in message
    assert "only in the weights, or of another shape there: neck/kernel [3, 8]" in message


def test_another_size_is_an_error():
    with pytest.raises(ValueError, match="another model: 0 of 48 values fit"):
        transfer(variables(2, features=16), variables(2, features=8))


def test_other_classes_are_an_error_if_it_is_strict():
    with pytest.raises(ValueError, match="32 of 48 values fit\nonly in the model.*: head/kernel"):
        transfer(variables(5), variables(2), strict=True)


def test_one_part_is_taken_where_the_rest_is_another_model():
    detector = variables(2)
    detector["params"]["neck"] = {"kernel": np.zeros((4, 4))}
    result = transfer(variables(5, value=1.0), detector, there="body", here="body")
    filled = result.variables
    assert filled["params"]["body"]["kernel"].min() == 1
    assert filled["batch_stats"]["body"]["mean"].min() == 1
    assert filled["params"]["neck"]["kernel"].max() == filled["params"]["head"]["kernel"].max() == 0
    assert result.message == "took 32 of 32 values"


def test_a_part_goes_to_another_place():
    fresh = {"params": {"encoder": {"trunk": {"kernel": np.zeros((3, 8))}}, "bodyless": {}}}
    fresh["params"]["decoder"] = {"kernel": np.zeros((8, 2))}
    fresh["batch_stats"] = {"encoder": {"trunk": {"mean": np.zeros(8)}}}
    result = transfer(variables(2, value=1.0), fresh, there="body", here="encoder/trunk")
    assert result.variables["params"]["encoder"]["trunk"]["kernel"].min() == 1
    assert result.variables["params"]["decoder"]["kernel"].max() == 0
    assert result.taken == ("encoder/trunk/kernel", "encoder/trunk/mean")
    # And from nowhere to a part.
    part = {"params": variables(2)["params"]["body"], "batch_stats": {"mean": np.ones(8)}}
    result = transfer(part, fresh, here="encoder/trunk")
    assert result.variables["batch_stats"]["encoder"]["trunk"]["mean"].min() == 1


@pytest.mark.parametrize("argument", ["there", "here"])
def test_a_part_that_does_not_exist_is_an_error(argument):
    with pytest.raises(ValueError, match=f"{argument} must be one of body, head.*, got bod"):
        transfer(variables(2), variables(2), **{argument: "bod"})


def test_names_of_one_side_alone_are_left_out_or_stay_fresh():
    fresh = variables(2)
    fresh["params"]["neck"] = {"kernel": np.zeros((4, 4))}
    weights = variables(2, value=1.0)
    weights["params"]["old"] = {"kernel": np.zeros(3)}
    result = transfer(weights, fresh)
    assert result.variables["params"]["body"]["kernel"].min() == 1
    assert result.variables["params"].keys() == fresh["params"].keys()
    assert result.fresh == ("neck/kernel",)
    fresh["params"]["neck"] = {"kernel": np.zeros((40, 40))}
    with pytest.raises(ValueError, match="48 of 1,648 values fit"):
        transfer(weights, fresh)


def test_frozen_normalisation_takes_its_scale_from_parameters():
    weights = {
        "params": {"norm": {"scale": np.full(3, 2.0), "bias": np.full(3, 3.0)}},
        "batch_stats": {"norm": {"mean": np.full(3, 4.0)}},
    }
    frozen = {"batch_stats": {"norm": {k: np.zeros(3) for k in ("scale", "bias", "mean")}}}
    norm = transfer(weights, frozen).variables["batch_stats"]["norm"]
    assert [norm[k][0] for k in ("scale", "bias", "mean")] == [2, 3, 4]
    back = transfer(frozen, weights).variables
    assert back["params"]["norm"]["scale"].max() == 0
