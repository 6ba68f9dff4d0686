"""`train.py` as its user meets it: from the command line, with everything that can be wrong."""

import contextlib
import io
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

import train
from jaxvision.cli.config_file import parse
from jaxvision.cli.main import main

ROOT = pathlib.Path(__file__).parents[1]
SMALL = (
    "--config.variant=nano",
    "--config.image_size=32",
    "--config.batch_size=8",
    "--config.num_workers=1",
    "--config.log_every=1",
)
SHAPES = (*SMALL, "--config.data.train_images=16", "--config.data.val_images=8")


def run(*arguments, config="configs/yolox.py"):
    # An absolute path stays as it is.
    return train.main(["train.py", f"--config={ROOT / config}", *map(str, arguments)])


@pytest.fixture
def failing(capsys, tmp_path):
    """Runs a command that must end before training with one message, which it returns."""

    def failing(*arguments, config="configs/yolox.py"):
        workdir = tmp_path / "run"
        assert run(f"--workdir={workdir}", *arguments, config=config) == 1
        assert not (workdir / "metrics.jsonl").exists()
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert "Traceback" not in error
        return error

    return failing


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.epoch=3"], "the config has no value epoch; did you mean epochs?"),
        (["--config.data.pth=x"], "no value data.pth; did you mean data.path?"),
        (["--config.agument.flip=1"], "no value agument.flip; did you mean augment.flip"),
        (["--config.learning_rate=1"], "did you mean optimizer.learning_rate?"),
        (["--config.lerning_rate=1"], "did you mean optimizer.learning_rate?"),
        (["--config.zzzzz=1"], "the config has no value zzzzz; --help lists all"),
        (["--config.epochs=many"], "epochs=many: invalid literal"),
        (["--confg=x"], "Unknown command line flag 'confg'"),
        (["--epochs=5"], "did you mean --config.epochs"),
        (["--lerning_rate=1"], "did you mean --config.optimizer.learning_rate?"),
        (["stray"], "flags start with --, got stray"),
        (["--config.image_size=100"], "image_size must be a multiple of 32, got 100"),
        (
            ["--config.augment.multi_scale=(64, 70)"],
            "augment.multi_scale must be a multiple of 32, got 70",
        ),
        (["--config.variant=huge"], "variant must be one of yolox_nano"),
        (["--config.method=fcos"], "method must be one of yolox, retinanet, "),
        (["--config.data.num_classes=7"], "data.num_classes must be 0 or 4"),
        (["--config.batch_size=24"], "the training split has 16 examples, fewer than one batch"),
        (["--config.batch_size=12"], "a multiple of the number of devices, 8, got 12"),
        (["--config.eval.batch_size=3"], "eval.batch_size must be a multiple of the number of dev"),
        (["--config.dtype=float8"], "dtype must be auto, float32"),
        (["--config.dtype=float16"], "dtype float16 is not supported"),
        (["--config.data.source=pascal"], "data.source must be one of shapes, coco, voc"),
        (["--config.data.source=voc"], "data.path must name the folder"),
        (
            ["--config.data.source=voc", "--config.data.path=."],
            "must be 0 for data.source=voc; a config that knows the source has them so, as yolox",
        ),
        (["--config.data.on_fault=skip"], "data.on_fault must be error or drop, got skip"),
        (["--config.epochs=0"], "epochs must be at least 1, got 0"),
        (["--config.augment.no_aug=2"], "augment.no_aug must be in [0, 1], got 2"),
        (["--config.loss.box_loss=diou"], "box_loss must be one of iou, plain_iou, giou, got diou"),
        (["--config.loss.candidates=box"], "candidates must be one of center, box_or_center"),
        (["--config.loss.top_k=0"], "top_k must be at least 1, got 0"),
        (["--config.eval.nms_threshold=2"], "nms_threshold must be in [0, 1], got 2"),
        (["--config.schedule.name=sine"], "schedule must be one of constant, step"),
        (["--config.optimizer.name=sdg"], "optimizer must be one of sgd"),
        (["--config.schedule.warmup_steps=5"], "one of schedule.warmup, warmup_epochs and"),
        (["--config.ema.decay=2"], "ema.decay must be in [0, 1), got 2"),
        (["--config.sharding=zero"], "sharding must be one of replicated, fsdp"),
    ],
)
def test_wrong_flags_end_in_one_message(failing, arguments, message):
    assert message in failing(*SHAPES, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["configs/yolox.py"], "got configs/yolox.py; did you mean --config=configs/yolox.py?"),
        (["configs/yolo.py:s,coco"], "did you mean --config=configs/yolox.py:s,coco?"),
        (["yolox:tiny"], "did you mean --config=yolox:tiny?"),
        (["--epochs=5"], "--config=FILE comes first, and its values are flags, as --config.epochs"),
        (["--config=configs/yolo.py"], "did you mean configs/yolox.py?"),
        (["--config=yolo"], "'yolo' is neither; did you mean yolox?"),
        ([], "expected --config=FILE or NAME, as in: train.py --config=my_config.py; names are"),
    ],
)
def test_command_without_a_config_is_answered_by_what_was_meant(
    arguments, message, capsys, monkeypatch
):
    monkeypatch.chdir(ROOT)
    assert train.main(["train.py", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_config_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = parse(["train.py", "--config=yolox:tiny,yolo", "--config.seed=3"], "")
    assert command.file == ROOT / "configs" / "yolox.py" and command.config.seed == 3
    assert command.config.data.source == "yolo"
    assert command.workdir == tmp_path / "runs" / "yolox_tiny_yolo"


def test_fault_in_the_data_says_how_to_see_all(failing, tmp_path):
    (tmp_path / "images" / "train").mkdir(parents=True)
    (tmp_path / "data.yaml").write_text("names: [cat]\n")
    given = f"--config.data.path={tmp_path}"
    message = failing(given, config="configs/yolox.py:tiny,yolo")
    assert "jaxvision check-data --source=FORMAT --path=DIR --train=SPLIT" in message


def test_wrong_config_file_ends_in_one_message(failing, tmp_path):
    assert "--config must be a file" in failing(config="configs/none.py")
    assert "argument must be of tiny, nano" in failing(config="configs/yolox.py:small")
    file = tmp_path / "config.txt"
    file.write_text("")
    assert "--config must be a Python file" in failing(config=file)

    def message(text):
        file = tmp_path / "my_config.py"
        file.write_text(text)
        return failing(config=file)

    recipe = "from jaxvision.recipes import classification\nrecipe = classification\n"
    assert "it has no recipe" in message("def get_config(): ...")
    assert "it has no get_config" in message(recipe)
    assert "cannot import name 'clasification'" in message(recipe.replace("lass", "las", 1))
    assert "invalid syntax" in message("recipe = = 1")
    begin = recipe + "def get_config():\n    config = classification.defaults()\n"
    wrong = "my_config.py: the config has no value learning_rate; did you mean optimizer.learn"
    assert wrong in message(f"{begin}    config.learning_rate = 1\n    return config")
    assert "did you mean optimizer.learning_rate?" in message(
        f"{begin}    config.optimizer.update(lerning_rate=1)\n    return config"
    )


def test_help_shows_the_values_of_a_config(capsys):
    assert run("--help") == 0
    assert "--config.image_size=128" in capsys.readouterr().out
    assert train.main(["train.py", "--help"]) == 0
    assert train.main(["train.py"]) == 1


def test_traceback_is_shown_on_demand(capsys, tmp_path):
    assert run(f"--workdir={tmp_path / 'run'}", "--config.image_size=33", "--traceback") == 1
    assert "Traceback" in capsys.readouterr().err


def voc(folder, images=10):
    """Writes a small VOC data set: two classes, one object an image."""
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(images):
        picture = rng.integers(0, 255, (48, 64, 3), np.uint8)
        cv2.imwrite(str(folder / f"JPEGImages/{i}.jpg"), picture)
        (folder / f"Annotations/{i}.xml").write_text(annotation("cat" if i % 2 else "dog"))
    names = [str(i) for i in range(images)]
    (folder / "ImageSets/Main/train.txt").write_text("\n".join(names[:8]) + "\n")
    (folder / "ImageSets/Main/val.txt").write_text("\n".join(names[8:]) + "\n")
    return folder


def annotation(name, box=(11, 6, 40, 35)):
    corners = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    return (
        "<annotation><size><width>64</width><height>48</height><depth>3</depth></size>"
        f"<object><name>{name}</name><bndbox>"
        + "".join(f"<{k}>{v}</{k}>" for k, v in corners)
        + "</bndbox></object></annotation>"
    )


@pytest.fixture
def data(tmp_path):
    return voc(tmp_path / "voc")


def voc_flags(data):
    return ("--config.epochs=1", f"--config.data.path={data}", *SMALL)


def test_missing_image(failing, data):
    (data / "JPEGImages/3.jpg").unlink()
    message = failing(*voc_flags(data), config="configs/yolox.py:voc")
    assert "3.jpg" in message


def test_truncated_image_ends_the_run_with_its_path(capsys, tmp_path, data):
    file = data / "JPEGImages/3.jpg"
    file.write_bytes(file.read_bytes()[:1500])
    workdir = tmp_path / "run"
    assert run(f"--workdir={workdir}", *voc_flags(data), config="configs/yolox.py:voc") == 1
    error = capsys.readouterr().err
    assert "error: " in error
    assert "3.jpg" in error
    assert "Traceback" not in error


def test_truncated_images_can_be_dropped_and_are_listed(capsys, data):
    for name in ("3.jpg", "8.jpg"):
        file = data / "JPEGImages" / name
        file.write_bytes(file.read_bytes()[:1500])
    flags = (*voc_flags(data), "--config.batch_size=4", "--config.data.on_fault=drop")
    config = ROOT / "configs/yolox.py"
    command = parse(["train.py", f"--config={config}:voc", *flags], "")
    experiment = command.recipe.experiment(command.config)
    batches = experiment.train_data.batches(0)
    seen = np.concatenate([next(batches)["index"] for _ in range(4)])
    batches.close()
    assert len(seen) == 16 and 3 not in seen
    (batch,) = experiment.eval_data["val"].data
    # Of images 8 and 9 the first cannot be read.
    assert batch["mask"].tolist() == [False, True, False, False] and batch["index"][1] == 1
    assert "3.jpg: " in experiment.train_data.faults() and experiment.train_data.faults() == ""
    assert "8.jpg: " in experiment.eval_data["val"].data.faults()


def test_class_that_only_the_validation_split_has(failing, data):
    (data / "Annotations/9.xml").write_text(annotation("bird"))
    message = failing(*voc_flags(data), config="configs/yolox.py:voc")
    assert "9.xml" in message
    assert "bird" in message
    assert "cat, dog" in message


def test_broken_xml(failing, data):
    (data / "Annotations/2.xml").write_text("<annotation><size>")
    assert "2.xml" in failing(*voc_flags(data), config="configs/yolox.py:voc")


def test_empty_split(failing, data):
    (data / "ImageSets/Main/val.txt").write_text("")
    assert "val.txt" in failing(*voc_flags(data), config="configs/yolox.py:voc")


def test_number_of_classes_that_disagrees_with_the_data(failing, data):
    message = failing(
        *voc_flags(data), "--config.data.num_classes=20", config="configs/yolox.py:voc"
    )
    assert "data.num_classes must be 0 or 2" in message
    assert "cat, dog" in message


def test_strict_data(failing, data):
    (data / "Annotations/2.xml").write_text(annotation("cat", (50, 20, 90, 40)))
    message = failing(*voc_flags(data), "--config.data.strict=True", config="configs/yolox.py:voc")
    assert "2.xml" in message or "2.jpg" in message


@pytest.mark.parametrize("content", ['{"images": [], "annotations": []}', "{"])
def test_broken_coco_file(failing, tmp_path, content):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/instances_train.json").write_text(content)
    flags = ("--config.epochs=1", f"--config.data.path={tmp_path}", *SMALL)
    message = failing(*flags, config="configs/yolox.py:coco")
    assert "instances_train.json" in message
    assert ("categories" in message) == ("images" in content)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run on data with boxes to repair: its flags, folder and output."""
    folder = tmp_path_factory.mktemp("finished")
    data = voc(folder / "voc")
    (data / "Annotations/2.xml").write_text(annotation("cat", (50, 20, 90, 40)))
    (data / "Annotations/3.xml").write_text(annotation("cat", (30, 20, 20, 40)))
    # A network and a gradient that compile in a third of the time of YOLOX's.
    flags = (f"--workdir={folder / 'run'}", *voc_flags(data), "--config.variant=tiny")
    flags = (*flags, "--config.freeze=(backbone|neck)/.*")
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        assert run(*flags, config="configs/retinanet.py:voc") == 0
    return flags, folder / "run", shown.getvalue()


def test_repaired_boxes_are_shown_and_the_run_goes_on(finished):
    _, workdir, shown = finished
    assert "clipped" in shown
    assert "dropped" in shown
    names = {k for line in logged_lines(workdir) for k in line}
    assert {"train/loss", "train/examples_per_second", "val/AP", "val/AP50", "val/AP/cat"} <= names
    assert list((workdir / "plots").glob("*.png"))


def test_run_shows_parameters_operations_and_a_table_of_classes(finished):
    shown = finished[2]
    assert re.search(r"total +[0-9,]{7}", shown)
    assert "compiling the step for image [8, 32, 32, 3]" in shown
    assert "GFLOPs per example and step" in shown
    assert "evaluation of val: works" in shown
    assert re.search(r"\ncat +[0-9.-]+ +[0-9.-]+\n", shown)


def test_work_directory_of_another_config(finished, capsys):
    flags, workdir, _ = finished
    before = {p: p.read_bytes() for p in workdir.rglob("*") if p.is_file()}
    assert run(*flags, "--config.seed=1", config="configs/retinanet.py:voc") == 1
    assert "seed: 0 there, 1 now" in capsys.readouterr().err
    assert before == {p: p.read_bytes() for p in workdir.rglob("*") if p.is_file()}


def test_run_continues_with_other_free_values_and_its_own_info(tmp_path, capsys):
    for split, label, i in itertools.product(("train", "val"), ("cat", "dog"), range(8)):
        folder = tmp_path / "data" / split / label
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{i}.png"), np.full((32, 32, 3), 30 * i, np.uint8))
    workdir = tmp_path / "run"

    def train_on(*flags):
        flags = (f"--workdir={workdir}", f"--config.data.path={tmp_path / 'data'}", *flags)
        flags = (*flags, "--config.batch_size=8", "--config.num_workers=1", "--config.log_every=1")
        return run(*flags, config="configs/classify_folder.py:lenet5_modern")

    small = ("--config.image_size=32", "--config.mean=(0.1,)", "--config.std=(0.8,)")
    small = (*small, "--config.schedule.warmup=0.0")
    assert train_on(*small, "--config.epochs=1") == 0
    free = (
        "--config.data.prefetch=2",
        "--config.data.on_fault=drop",
        "--config.eval.batch_size=16",
        "--config.eval.epochs=0.5",
        "--config.patience=9",
        "--config.epochs=2",
    )
    assert train_on(*small, *free) == 0
    assert set(losses(workdir)) == {1, 2, 3, 4}
    assert json.loads((workdir / "config.2.json").read_text())["data"]["prefetch"] == 2
    capsys.readouterr()
    # The classes are those of the run, and so is the number of images.
    shutil.copytree(tmp_path / "data/train/cat", tmp_path / "data/train/ape")
    assert train_on(*small, *free, "--config.epochs=3") == 1
    assert "ape" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "data/train/ape")
    (tmp_path / "data/train/cat/0.png").unlink()
    assert train_on(*small, *free, "--config.epochs=3") == 1
    assert "data.train has 15 images, and the run was started with 16" in capsys.readouterr().err


DIGITS = (
    "--config.epochs=1",
    "--config.batch_size=8",
    "--config.num_workers=1",
    "--config.log_every=1",
    "--config.data.train_images=16",
    "--config.data.val_images=12",
)


def test_classifier_trains_evaluates_and_draws(tmp_path, capsys):
    workdir = tmp_path / "run"
    flags = (f"--workdir={workdir}", *DIGITS)
    assert run(*flags, config="configs/lenet_mnist.py:modern") == 0
    assert all(np.isfinite(x) for x in losses(workdir).values())
    names = {k for line in logged_lines(workdir) for k in line}
    assert {"train/accuracy", "val/accuracy", "val/top5", "val/f1", "val/auc", "val/ece"} <= names
    assert "val/recall/7" in names
    drawn = {p.name.rpartition("_")[0] for p in (workdir / "plots").glob("*.png")}
    assert drawn == {
        f"val_{name}" for name in ("confusion", "roc", "precision_recall", "reliability")
    }
    assert "evaluation of val: works" in capsys.readouterr().out


def test_folders_that_are_no_classes_end_in_one_message(failing, tmp_path):
    def message(**changes):
        flags = [f"--config.{key}={value}" for key, value in changes.items()]
        flags.append(f"--config.data.path={tmp_path / 'data'}")
        return failing("--config.batch_size=8", *flags, config="configs/resnet_cifar10.py")

    assert "there is no such folder and no train.zip" in message()
    (tmp_path / "data/train/cat").mkdir(parents=True)
    assert "train/cat: the folder of a class holds no image" in message()
    cv2.imwrite(str(tmp_path / "data/train/cat/0.png"), np.zeros((8, 8, 3), np.uint8))
    assert "two or more classes, got cat" in message()


@pytest.mark.slow
def test_a_step_that_is_nan_is_replayed_by_the_same_command(tmp_path, capsys):
    flags = (f"--workdir={tmp_path / 'run'}", *DIGITS, "--config.optimizer.learning_rate=1e38")
    assert run(*flags, config="configs/lenet_mnist.py:modern") == 1
    error = capsys.readouterr().err
    step = re.search(r"With --replay=(\d+) it finds the operation", error)
    assert step is not None, error
    assert run(*flags, f"--replay={step[1]}", config="configs/lenet_mnist.py:modern") == 1
    shown = capsys.readouterr().out
    assert f"step {step[1]} made again: loss = " in shown
    assert "the operation is the last of these lines:\n  " in shown and "/jaxvision/" in shown
    assert run(*flags, "--replay=1", config="configs/lenet_mnist.py:modern") == 0
    assert "no result of it is NaN or infinite" in capsys.readouterr().out


def logged_lines(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def losses(workdir):
    return {x["step"]: x["train/loss"] for x in logged_lines(workdir) if "train/loss" in x}


def test_killed_process_continues_to_the_last_bit(tmp_path):
    flags = ("--config.data.train_images=64", "--config.data.val_images=32")
    flags += ("--config.batch_size=32", "--config.log_every=1", "--config.epochs=30")
    flags += ("--config.save_every=2", "--config.eval_every=1000")
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=1",
        # One compilation serves all four processes.
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
    }

    def command(name, workers):
        return [
            sys.executable,
            str(ROOT / "train.py"),
            f"--config={ROOT / 'configs/lenet_mnist.py'}:modern",
            f"--workdir={tmp_path / name}",
            *flags,
            f"--config.num_workers={workers}",
        ]

    def finish(name, workers=1):
        return subprocess.run(
            command(name, workers), env=environment, capture_output=True, text=True, check=True
        )

    finish("straight")
    # The killed one starts as the whole one did, and never learns that it is dead.
    process = subprocess.Popen(
        command("killed", 1), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not (tmp_path / "killed/checkpoints/4").is_dir():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed/checkpoints/60").exists(), "it was killed too late"
    finish("killed", workers=3)
    assert losses(tmp_path / "killed") == losses(tmp_path / "straight")
    assert set(losses(tmp_path / "killed")) == set(range(1, 61))
    shutil.rmtree(tmp_path / "killed")


def test_installed_command_trains_a_config_of_any_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "my_config.py").write_text(
        "from jaxvision.recipes import classification\n"
        "recipe = classification\n"
        "def get_config():\n"
        "    config = classification.defaults()\n"
        "    config.update(variant='lenet5_modern', image_size=32, batch_size=8, epochs=1)\n"
        "    config.update(mean=(0.1,), std=(0.8,), num_workers=0, log_every=1)\n"
        "    config.data.update(source='digits', train_images=16, val_images=12)\n"
        "    config.data.update(test='test', test_images=8)\n"
        "    config.augment.crop = 'pad'\n"
        "    return config\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--config=my_config.py"]) == 0
    lines = logged_lines(tmp_path / "runs/my_config")
    assert sum("val/accuracy" in line for line in lines) == 1
    # The test split is evaluated once, at the end.
    assert [line["step"] for line in lines if "test/accuracy" in line] == [2]
    command = (tmp_path / "runs/my_config/command.txt").read_text()
    assert command.endswith(" -m jaxvision.cli.main train --config=my_config.py\n")
    capsys.readouterr()
    assert main(["train", "--config=my_config.py", "--config.augment.crop=stretch"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "holds a run of another config" in error
    assert main(["train", "--config=my_config.py", "--workdir=new", "--config.augment.crop=x"]) == 1
    assert "crop must be" in capsys.readouterr().err and not (tmp_path / "new").exists()
    assert main(["train"]) == 1
    assert "jaxvision train --config=my_config.py" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "train what a config file describes" in capsys.readouterr().out
