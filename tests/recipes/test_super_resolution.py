"""Runs of super-resolution: trained, continued after a kill, loaded, applied."""

import pathlib

import cv2
import jax
import numpy as np
import pytest
from toy import KilledError, equal, killed_at

import jaxvision
from jaxvision.cli.config_file import load
from jaxvision.cli.main import main
from jaxvision.data.imresize import imresize, upscaled
from jaxvision.data.windows import Windows
from jaxvision.recipes import (
    adversarial_super_resolution,
    diffusion_super_resolution,
    super_resolution,
    zero_shot,
)
from jaxvision.train.loop import run

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
SMALL = dict(
    srcnn=dict(model=dict(kernels=(3, 1, 3), features=(4, 4)), scale=2, image_size=16),
    sr3=dict(model=dict(widths=(8, 16)), image_size=16),
    srgan=dict(model=dict(blocks=1, features=4), image_size=32),
    zssr=dict(variant="zssr", model=dict(depth=2, features=4), image_size=16),
)


def config_of(name, **changes):
    config = load(CONFIGS / f"{name}.py").get_config()
    config.update(dict(num_workers=0, batch_size=8, epochs=2, log_every=1) | SMALL[name] | changes)
    config.data.update(drawn_size=40, val_images=2)
    if "patches" in config.data:
        config.data.update(patches=2, train_images=8)
    if name == "srgan":
        config.discriminator = "srgan_discriminator_small"
    return config


def texture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two sets of pictures in Set5's layout."""
    root = tmp_path_factory.mktemp("sets")
    for name, size in (("one", (36, 40)), ("two", (36, 40))):
        (root / name / "HR").mkdir(parents=True)
        cv2.imwrite(str(root / name / "HR" / "a.png"), texture(*size, seed=len(name)))
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory, folder):
    """A run of SRCNN on drawn pictures, evaluated on two sets, and its metrics."""
    workdir = tmp_path_factory.mktemp("runs") / "srcnn"
    config = config_of("srcnn")
    config.data.eval = f"{folder}/one,{folder}/two"
    return workdir, run(super_resolution.experiment(config), workdir).metrics


def test_metrics_are_named_after_the_sets(trained):
    workdir, metrics = trained
    found = {name for name in metrics if name.endswith("psnr_y")}
    assert {"val/one/psnr_y", "val/two/psnr_y"} <= found
    assert list((workdir / "plots").glob("val_restored_*.png"))
    evaluated = jaxvision.load(workdir).evaluate()
    assert evaluated["two/ssim_y"] == pytest.approx(metrics["val/two/ssim_y"], abs=1e-6)


def test_windows_and_views_give_what_the_whole_picture_gives(trained):
    upscaler = jaxvision.load(trained[0])
    picture = texture(36, 44)
    whole = upscaler.upscale(picture)
    assert whole.shape == (72, 88, 3) and whole.dtype == np.uint8
    windows = upscaler.replaced(batch_size=4)
    windows.windows = windows._views = Windows(24, overlap=8)
    assert len(windows.windows(picture)) > 1
    np.testing.assert_allclose(windows.upscale(picture).astype(int), whole.astype(int), atol=1)
    found = upscaler(picture)
    assert found.summary() == "44 x 36 to 88 x 72" and found.scale == 2
    assert found.compare().shape[0] < found.compare(whole).shape[1]
    with pytest.raises(ValueError, match="the truth must have 72 x 88 pixels"):
        found.compare(picture)
    half = upscaler.interpolated(upscaler, 0.5)
    np.testing.assert_array_equal(half.upscale(picture), whole)


@pytest.mark.slow
def test_back_projection_brings_the_result_closer_to_the_input(trained):
    upscaler = jaxvision.load(trained[0])
    picture = texture(24, 24)

    def error(large):
        return np.abs(imresize(large.astype(np.float64), 1 / 2) - picture).mean()

    plain = upscaler.upscale(picture)
    assert error(upscaler.replaced(back_projection=5).upscale(picture)) < 0.5 * error(plain)


@pytest.mark.slow
def test_commands_apply_and_evaluate_the_run(trained, folder, tmp_path, capsys):
    workdir = str(trained[0])
    high = str(folder / "one" / "HR")
    assert main(["predict", workdir, high, "--out", str(tmp_path), "--save=json"]) == 0
    assert cv2.imread(str(tmp_path / "a.png")).shape == (72, 80, 3)
    assert main(["evaluate", workdir, "--path", str(folder / "two"), "--out", str(tmp_path)]) == 0
    assert "two: " in capsys.readouterr().out
    assert (tmp_path / "report.html").stat().st_size > 10_000
    file = str(tmp_path / "weights.safetensors")
    assert main(["export", workdir, "--out", file]) == 0
    picture = texture(12, 12)
    np.testing.assert_array_equal(
        jaxvision.load(file).upscale(picture), jaxvision.load(workdir).upscale(picture)
    )


@pytest.mark.slow
def test_players_continue_bit_for_bit_after_a_kill(tmp_path):
    config = config_of("srgan", epochs=3, save_every=3)
    straight = run(adversarial_super_resolution.experiment(config), tmp_path / "straight").state
    killed = tmp_path / "killed"
    with pytest.raises(KilledError):
        run(killed_at(adversarial_super_resolution.experiment(config), 4), killed)
    continued = run(adversarial_super_resolution.experiment(config), killed).state
    assert int(continued.step) == 6
    for part in ("params", "model_state", "opt_state"):
        assert equal(getattr(continued, part), getattr(straight, part))
    counts = {
        jax.tree_util.keystr(path): int(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(continued.opt_state)
        if jax.tree_util.keystr(path).endswith(".count")
    }
    assert sum("generator" in name for name in counts) and sum("discr" in x for x in counts)
    upscaler = jaxvision.load(killed)
    assert upscaler.upscale(texture(8, 8)).shape == (32, 32, 3)


@pytest.mark.slow
def test_a_diffusion_model_is_trained_loaded_and_applied(tmp_path):
    config = config_of("sr3")
    config.sample.steps = 3
    metrics = run(diffusion_super_resolution.experiment(config), tmp_path).metrics
    upscaler = jaxvision.load(tmp_path)
    # A picture's noise is drawn with the seed of the run and its place.
    assert upscaler.evaluate()["psnr_y"] == pytest.approx(metrics["val/psnr_y"], abs=1e-3)
    found = upscaler(texture(12, 16)).upscaled
    assert found.shape == (48, 64, 3)
    np.testing.assert_array_equal(upscaler(texture(12, 16)).upscaled, found)


@pytest.mark.slow
@pytest.mark.parametrize("pictures", [1, 2])
def test_a_network_of_a_picture_is_trained_at_test_time(tmp_path, pictures):
    config = config_of("zssr", epochs=4)
    config.data.val_images = pictures
    metrics = run(zero_shot.experiment(config), tmp_path).metrics
    upscaler = jaxvision.load(tmp_path)
    found = upscaler.evaluate()
    assert found["psnr_y"] == pytest.approx(metrics["val/psnr_y"], abs=1e-6)
    picture = texture(20, 20)
    large = upscaler.upscale(picture)
    assert large.shape == (40, 40, 3)
    # Back-projection keeps even an untrained network near the interpolation.
    assert np.abs(large - upscaled(picture, 2)).mean() < 10
    pytest.importorskip("flatbuffers", reason="needs the extra export")
    with pytest.raises(ValueError, match="nothing to export"):
        upscaler.served()


def test_values_that_do_not_fit_are_errors_of_one_line(folder):
    for name, recipe, changes, message in (
        ("srcnn", super_resolution, dict(image_size=15), "multiple of the scale 2, got 15"),
        ("srcnn", super_resolution, dict(scale=0), "scale must be"),
        ("srgan", adversarial_super_resolution, dict(scale=2), "scale must be that of the network"),
    ):
        with pytest.raises(ValueError, match=message):
            recipe.experiment(config_of(name, **changes))
    config = config_of("srcnn")
    config.data.eval = str(folder / "three")
    with pytest.raises(ValueError, match=r"three: there is no such folder of pictures"):
        super_resolution.experiment(config)
    config = config_of("srcnn")
    config.degradation.kernel = str(folder / "kernel.npy")
    with pytest.raises(ValueError, match=r"degradation.kernel must be a .npy file"):
        super_resolution.experiment(config)
