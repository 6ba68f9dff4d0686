import numpy as np

from jaxvision.ops.position_embedding import sincos_position_embedding
from jaxvision.pretrained.adapt import adapted
from jaxvision.pretrained.transfer import transfer


def test_stem_of_a_grey_image_answers_as_that_of_three_equal_channels():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 3, 4)).astype(np.float32)
    grey = rng.normal(size=(3, 3, 1)).astype(np.float32)
    found = adapted("backbone/stem/conv/kernel", kernel, (3, 3, 1, 4))
    both = [np.einsum("hwc,hwcd->d", x, k) for x, k in ((grey, found), (grey.repeat(3, 2), kernel))]
    np.testing.assert_allclose(*both, rtol=1e-5)


def test_stem_of_more_channels_repeats_the_three_and_keeps_the_sum():
    kernel = np.arange(6, dtype=np.float32).reshape(1, 1, 3, 2)
    found = adapted("stem/kernel", kernel, (1, 1, 5, 2))
    # Channels 0 1 2 0 1, times 3 / 5.
    np.testing.assert_allclose(found[0, 0, :, 0], np.float32([0, 2, 4, 0, 2]) * 0.6)
    assert found.dtype == np.float32


def test_positions_keep_the_class_token_and_interpolate_the_grid():
    grid = sincos_position_embedding(4, 4, 8)
    with_token = np.concatenate([np.full((1, 1, 8), 7.0, np.float32), grid], axis=1)
    found = adapted("backbone/position_embedding", with_token, (1, 65, 8))
    assert (found[:, 0] == 7).all()
    np.testing.assert_array_equal(
        found[:, 1:], adapted("backbone/position_embedding", grid, (1, 64, 8))
    )


def test_other_shapes_have_no_rule():
    kernel = np.zeros((3, 3, 3, 4))
    assert adapted("stem/kernel", kernel, (3, 3, 1, 8)) is None
    assert adapted("stem/bias", np.zeros(3), (1,)) is None
    assert adapted("position_embedding", np.zeros((1, 16, 8)), (1, 15, 8)) is None


def test_transfer_says_what_was_made_to_fit_and_strictly_refuses():
    old = {"params": {"stem": {"kernel": np.ones((1, 1, 3, 2), np.float32)}}}
    fresh = {"params": {"stem": {"kernel": np.zeros((1, 1, 1, 2), np.float32)}}}
    found = transfer(old, fresh)
    assert found.message == "took 2 of 2 values; made to fit: stem/kernel [1, 1, 1, 2]"
    np.testing.assert_array_equal(found.variables["params"]["stem"]["kernel"], [[[[3, 3]]]])
    try:
        transfer(old, fresh, strict=True)
    except ValueError as error:
        assert "0 of 2 values fit" in str(error)
    else:
        raise AssertionError("a strict transfer took a kernel of another shape")
