import json

import pytest

from jaxvision.cli import doctor
from jaxvision.cli.machine import Gpu, Machine, look, parse_gpus
from jaxvision.cli.main import main

H100 = Gpu("NVIDIA H100", "550.54.15", 81559, 10)
SOUND = Machine(
    system="Linux",
    versions={"jax": "0.10.2", "jaxlib": "0.10.2"},
    gpus=(H100,),
    nvidia_device=True,
    plugin=12,
    plugin_version="0.10.2",
    memory=32.0,
    disk=100.0,
)
SEEN = ["gpu: NVIDIA H100"]


def found(devices=SEEN, problem="", **changes):
    return list(doctor.troubles(SOUND._replace(**changes), devices, problem))


def test_sound_machine_has_no_trouble():
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "what", "remedy"),
    [
        (dict(plugin=None), "CUDA plugin is not installed", "pip install 'jaxvision[cuda12]'"),
        (
            dict(plugin=None, gpus=(H100._replace(driver="580.1"),)),
            "CUDA plugin is not installed",
            "pip install 'jaxvision[cuda13]'",
        ),
        (dict(plugin=13), "driver 550.54.15 is too old for CUDA 13", "jaxvision[cuda12]"),
        (dict(plugin_version="0.9.0"), "plugin is 0.9.0, jaxlib 0.10.2", "jax[cuda12]==0.10.2"),
        (dict(environment={"JAX_PLATFORMS": "cpu"}), "hides the GPU", "unset JAX_PLATFORMS"),
        (dict(environment={"LD_LIBRARY_PATH": "/x"}), "JAX sees no GPU", "unset LD_LIBRARY_PATH"),
        (dict(), "JAX sees no GPU", "jax.devices"),
        (dict(gpus=()), "nvidia-smi does not answer", "--gpus=all"),
    ],
)
def test_gpu_that_jax_does_not_use_is_serious(changes, what, remedy):
    (trouble,) = found(devices=["cpu: cpu"], **changes)
    assert trouble.serious
    assert what in trouble.what and remedy in trouble.remedy


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        (dict(gpus=(H100._replace(used=60000),)), "others use 60,000 of 81,559 MiB of GPU 0"),
        (dict(gpus=(), huge_pages="always madvise [never]"), "huge pages are off"),
        (dict(memory=1.5), "1.5 GB of memory are free"),
        (dict(disk=0.5), "0.5 GB are free"),
        (dict(missing=("text", "hub")), "extras that are not installed: text, hub"),
    ],
)
def test_what_could_be_better_is_a_note(changes, what):
    (trouble,) = found(**changes)
    assert not trouble.serious and what in trouble.what and trouble.remedy


def test_missing_packages_and_devices_are_serious():
    (trouble,) = found(versions={"jax": "0.10.2", "jaxlib": "0.10.2", "optax": "missing"})
    assert trouble.serious and trouble.remedy == "pip install -U optax"
    assert found(devices=[], problem="JAX finds no device; unset it")[0].serious


def test_answer_of_the_driver_is_read():
    text = "NVIDIA H100, 550.54.15, 81559, 10\nother, 1.0, [N/A], 5\n\n"
    assert parse_gpus(text) == (H100, Gpu("other", "1.0", 0, 5))


def test_command_prints_what_an_issue_needs_and_says_it_by_its_exit_code(monkeypatch, capsys):
    sound = look()._replace(gpus=(), nvidia_device=False, environment={"XLA_FLAGS": "--secret"})
    monkeypatch.setattr(doctor, "look", lambda: sound)
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "training can run" in printed and "jaxlib" in printed and "8 x cpu: cpu" in printed
    assert "XLA_FLAGS" in printed and "--secret" not in printed
    monkeypatch.setattr(doctor, "look", lambda: sound._replace(gpus=(H100,)))
    assert main(["doctor", "--json"]) == 1
    stored = json.loads(capsys.readouterr().out)
    assert stored["troubles"][0]["serious"] and stored["gpus"][0]["name"] == "NVIDIA H100"
