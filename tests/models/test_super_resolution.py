import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick
from network import count

from jaxvision import models
from jaxvision.models.super_resolution.catalogue import VARIANTS
from jaxvision.ops.resize import pixel_shuffle

# Parameters: SRCNN of the paper, SRResNet and discriminator of Lornatang, RRDBNet of xinntao, ZSSR
# of the paper; the small ones are ours.
PARAMETERS = {
    "srcnn_915": 8_129,
    "srcnn_935": 24_513,
    "srcnn_955": 57_281,
    "srresnet_x2": 1_399_637,
    "srresnet_x3": 1_584_277,
    "srresnet_x4": 1_547_350,
    "srresnet_small_x2": None,
    "srresnet_small_x3": None,
    "srresnet_small_x4": None,
    "rrdbnet": 16_697_987,
    "rrdbnet_16": 11_662_019,
    "rrdbnet_small": 1_590_083,
    "rrdbnet_tiny": None,
    "zssr": 224_640,
    "zssr_small": None,
    "srgan_discriminator": 23_563_649,
    "srgan_discriminator_small": None,
}


@pytest.mark.parametrize(
    "variant",
    quick(VARIANTS, "srcnn_915", "srcnn_935", "srcnn_955", "srresnet_x4", "zssr"),
)
def test_parameter_count_matches_reference(variant):
    expected = PARAMETERS[variant]
    model = models.super_resolution(variant)
    x = jnp.zeros((1, 96, 96, getattr(model, "channels", 3)))
    output, variables = jax.eval_shape(
        lambda x: model.init_with_output(jax.random.key(0), x, train=False), x
    )
    assert expected in (None, count(variables["params"]))
    if "discriminator" in variant:
        assert output.shape == (1,)
        return
    scale = 1 if model.interpolates else model.scale
    assert output.shape == (1, 96 * scale, 96 * scale, model.channels)


def test_pixel_shuffle_has_the_pixels_of_a_channel_beside_each_other():
    x = np.arange(2 * 3 * 18).reshape(1, 2, 3, 18)
    shuffled = np.asarray(pixel_shuffle(jnp.asarray(x), 3))
    assert shuffled.shape == (1, 6, 9, 2)
    for c, i, j in np.ndindex(2, 3, 3):
        np.testing.assert_array_equal(shuffled[0, i::3, j::3, c], x[0, :, :, c * 9 + i * 3 + j])
    with pytest.raises(ValueError, match="multiple of 9, got 8"):
        pixel_shuffle(jnp.zeros((1, 2, 2, 8)), 3)


def test_unknown_networks_are_errors():
    with pytest.raises(ValueError, match="name must be one of .*srresnet_x4"):
        models.super_resolution("srresnet_x5")
    with pytest.raises(ValueError, match=r"is built by models.super_resolution"):
        models.backbone("zssr")
