"""Sampling from runs: the predictor, the commands and a judge of images."""

import json

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, init
from flax import linen as nn
from painter import sampler

import jaxvision
from jaxvision.cli.main import main
from jaxvision.data.augment.fixed_crop import CenterCrop
from jaxvision.inference.classifier import Classifier
from jaxvision.inference.judge import Judge
from jaxvision.models.last_features import last_features
from jaxvision.recipes import adversarial
from jaxvision.tasks.classification import WHITENING, ZCA, ImageClassification
from jaxvision.train.loop import run


@pytest.fixture(scope="module")
def painter():
    return sampler()


def test_classes_take_turns_in_batches_of_any_number(painter):
    found = painter.sample(6)
    assert found.class_names == ("black", "grey", "light", "black", "grey", "light")
    np.testing.assert_array_equal(found.images[:, 0, 0, 0], [0, 100, 200, 0, 100, 200])
    found = painter.sample(3, classes=["light", 1])
    np.testing.assert_array_equal(found.images[:, 0, 0, 0], [200, 100, 200])
    assert found.summary() == "3 images of 4 x 4 pixels"


def test_results_are_written(painter, tmp_path):
    found = painter.sample(2, classes="grey")
    files = found.save_images(tmp_path / "images")
    assert [file.name for file in files] == ["00000_grey.png", "00001_grey.png"]
    assert found.save(tmp_path / "grid.png").is_file()
    assert found.plot().shape == (2 * 2 + 64, 2 * 3 + 2 * 64, 3)
    assert found.to_dict()["images"][1] == {"number": 1, "class": "grey"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(n=0), "n must be at least 1, got 0"),
        (dict(n=1, seed=-1), "seed must be in"),
        (dict(n=1, classes="red"), "classes must be of black, grey, light, got 'red'"),
        (dict(n=1, classes=[3]), "classes must be of black, grey, light, got 3"),
        (dict(n=1, classes=[]), "must name at least one"),
    ],
)
def test_wrong_requests_are_errors(painter, options, message):
    with pytest.raises(ValueError, match=message):
        painter.sample(**options)


def test_export_of_a_diffusion_model_to_other_runtimes_is_refused(painter):
    with pytest.raises(ValueError, match="draws random numbers"):
        painter.served()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two steps of a tiny DCGAN without norm in its discriminator."""
    config = adversarial.defaults()
    config.update(image_size=(8, 8), batch_size=8, latent=4, epochs=1, num_workers=0)
    config.data.update(train_images=16, val_images=16, source="digits")
    config.eval.samples = 8
    config.schedule.name = "constant"
    config.model.width = 4
    folder = tmp_path_factory.mktemp("runs") / "gan"
    run(adversarial.experiment(config), folder)
    return folder


@pytest.mark.slow  # needs the extra export
@pytest.mark.parametrize("name", ["generator.onnx", "generator.stablehlo"])
def test_an_exported_generator_makes_the_same_of_noise(trained, tmp_path, name):
    sampler = jaxvision.load(trained)
    program = sampler.served()
    (noise,) = program.inputs(2)
    if name.endswith(".onnx"):
        runtime = pytest.importorskip("onnxruntime", reason="needs the extra export")
        file = sampler.export(tmp_path / name).path
        opened = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        (images,) = opened.run(None, {"noise": noise})
        with pytest.raises(ValueError, match="reads no pictures"):
            jaxvision.load(file)
        with pytest.raises(ValueError, match="int8 is calibrated on pictures"):
            sampler.export(tmp_path / "x.onnx", precision="int8", pictures=tmp_path)
    else:
        pytest.importorskip("flatbuffers", reason="needs the extra export")
        data = sampler.export(tmp_path / name).path.read_bytes()
        images = jax.export.deserialize(bytearray(data)).call(noise)["images"]
    expected = apply(program, sampler.variables, noise)["images"]
    assert images.shape == (2, 8, 8, 1) and np.ptp(images) > 1
    np.testing.assert_allclose(images, expected, atol=0.05)


def test_a_run_is_loaded_and_an_image_does_not_depend_on_the_others(trained):
    sampler = jaxvision.load(trained)
    images = sampler.sample(5, seed=1).images
    assert images.shape == (5, 8, 8, 1)
    few = sampler.replaced(batch_size=2).sample(3, seed=1).images
    assert np.abs(images[:3].astype(int) - few).max() <= 1
    assert np.any(sampler.sample(5, seed=2).images != images)
    with pytest.raises(ValueError, match="guidance are for diffusion models"):
        sampler.replaced(guidance=2.0)
    with pytest.raises(ValueError, match="trained without classes, got classes='3'"):
        sampler.sample(1, classes="3")
    assert sampler.real_images("val", 5).shape == (5, 8, 8, 3)


@pytest.mark.slow
def test_commands(trained, tmp_path, capsys):
    assert main(["predict", str(trained), "--count=3", f"--out={tmp_path}", "--save=json"]) == 0
    assert len(list((tmp_path / "images").glob("*.png"))) == 3
    assert (tmp_path / "grid.png").is_file()
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 1
    assert main(["predict", str(trained), "photo.jpg"]) == 2
    assert "takes no INPUT but --count and --seed, got photo.jpg" in capsys.readouterr().err
    assert main(["predict", str(trained), "--tta"]) == 2
    assert "holds a sampler, which does not take --tta" in capsys.readouterr().err
    assert main(["evaluate", str(trained)]) == 0
    assert "spread" in capsys.readouterr().out
    assert main(["info", str(trained)]) == 0
    assert "a sampler of the recipe adversarial" in capsys.readouterr().out
    assert main(["evaluate", str(trained), f"--judge={trained}"]) == 2
    assert "a judge must be a classifier" in capsys.readouterr().err


class Two(nn.Module):
    """A network of two layers."""

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.relu(nn.Dense(5, name="hidden")(x.reshape(len(x), -1)))
        return nn.Dense(3, name="head")(x)


def test_last_features_are_what_the_head_takes():
    model, images = Two(), jnp.arange(8.0).reshape(2, 2, 2, 1)
    variables = init(model, jax.random.key(0), images, train=False)
    features, logits = last_features(model, variables, images)
    head = variables["params"]["head"]
    np.testing.assert_allclose(features @ head["kernel"] + head["bias"][None], logits, rtol=1e-5)


@pytest.mark.parametrize("normalise", ["", ZCA])
def test_a_judge_sees_what_its_classifier_sees(monkeypatch, normalise):
    model, images = Two(), np.random.default_rng(0).integers(0, 256, (3, 4, 4, 1), np.uint8)
    task = ImageClassification(model, ("a", "b", "c"), normalise=normalise)
    variables = init(model, jax.random.key(0), np.zeros((1, 4, 4, 3)), train=False)
    if normalise == ZCA:
        whitening = {"mean": np.full(48, 0.5), "matrix": np.diag(np.linspace(1, 2, 48))}
        variables = {**variables, WHITENING: {ZCA: whitening}}
    classifier = Classifier(task, variables, CenterCrop((4, 4), 4))
    monkeypatch.setattr("jaxvision.inference.judge.load", lambda path: classifier)
    features, probabilities = Judge("a run")(images)
    wanted = [found.probabilities for found in classifier([x.repeat(3, -1) for x in images])]
    np.testing.assert_allclose(probabilities, wanted, rtol=1e-5)
    assert features.shape == (3, 5)


def test_a_judge_says_what_was_recognised(painter, monkeypatch):
    """Classes by brightness: two of three classes are taken for what was asked for."""
    judge = object.__new__(Judge)
    judge.class_names = ("black", "grey", "light")

    def by_brightness(images):
        grey = images[..., 0].mean(axis=(1, 2))
        taken = np.where(grey > 150, 1, np.where(grey > 50, 1, 0))
        jitter = np.random.default_rng(0).normal(0, 1, (len(images), 2))
        return np.column_stack([grey, grey]) + jitter, np.eye(3)[taken]

    monkeypatch.setattr(Judge, "__call__", lambda self, images: by_brightness(images))
    samples = painter.sample(30)
    found = judge.compare(samples, samples.images)
    assert found["recognised"] == pytest.approx(2 / 3)
    assert found["classes_found"] == 2 and found["largest_class"] == pytest.approx(2 / 3)
    assert found["FID"] == pytest.approx(0.0, abs=1e-6) and found["recall"] == 1.0
