"""Commands of README and documentation, run on small data.

A command of training builds its whole experiment and reads a batch and an evaluation batch: all but
the compiled step, which other tests run. The other commands run as they stand.
"""

import gzip
import os
import shlex
import shutil

import cv2
import jax
import numpy as np
import planted
import pytest
import toy_translation
from documented import TEXTS, check, shown, simple_commands
from network import filled

from jaxvision.cli.main import main
from jaxvision.data.sources.shapes import Shapes
from jaxvision.recipes import classification, detection, translation, wiring
from jaxvision.train.checkpoint import Checkpoints
from jaxvision.train.experiment import Best
from jaxvision.train.state import TrainState

pytestmark = pytest.mark.slow

# Of one splitting, for every format: enough for a batch of 4 in each part.
PICTURES = 16
# What the texts call data of others: no small file of them can be made here.
FOREIGN = ("tfds:",)
DRAWN = ("shapes", "digits")


@pytest.fixture(scope="module", autouse=True)
def toy():
    """Lets the run of a translator be loaded, whose network is the toy's."""
    with toy_translation.prepared():
        yield


def trained_commands():
    """Training commands by their text, each once; `parse` gives what they say."""
    found = {}
    for path in TEXTS:
        for command in shown(path):
            for each in check(command) if "train" in command.text else []:
                found.setdefault(" ".join(command.text.split()), each)
    return found


def write_folders(root, split):
    pictures = Shapes(PICTURES, image_size=32, split="train")
    for i, sample in enumerate(pictures):
        file = root / split / "ab"[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), sample.image)


def write_cifar(root):
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        records = rng.integers(0, 256, (PICTURES, 3073), np.uint8)
        records[:, 0] %= 10
        (root / name).write_bytes(records.tobytes())
    (root / "batches.meta.txt").write_text("".join(f"class{i}\n" for i in range(10)))


def write_mnist(root):
    for name in ("train", "t10k"):
        sizes = np.array([PICTURES, 28, 28], ">i4").tobytes()
        images = np.zeros((PICTURES, 28, 28), np.uint8).tobytes()
        (root / f"{name}-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + sizes + images)
        labels = (np.arange(PICTURES) % 10).astype(np.uint8).tobytes()
        (root / f"{name}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + sizes[:4] + labels)


def write_csv(root, split, pictures):
    planted.write_images(root / split, pictures)
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for picture in pictures:
        for name, box in picture.objects:
            rows.append(f"{picture.name},64,48,{name},{','.join(map(str, box))}")
    (root / f"{split}.csv").write_text("\n".join(rows) + "\n")


def write(source, root, splits):
    """Writes data in a format, with every split that a config names."""
    root.mkdir(parents=True, exist_ok=True)
    for number, split in enumerate(splits):
        pictures = planted.clean(PICTURES, number * PICTURES, f"{split}_")
        if source.startswith("objects:"):
            source = source.removeprefix("objects:")
        if source == "coco":
            planted.write_coco(root, split, pictures, planted.coco_document(pictures))
        elif source == "voc":
            planted.write_voc(root, split, pictures)
        elif source == "yolo":
            planted.write_yolo(root, split, pictures)
        elif source == "csv":
            write_csv(root, split, pictures)
        elif source == "packed":
            planted.write_voc(root / "voc", split, pictures)
            pack = ["pack", "--source=voc", f"--path={root / 'voc'}", f"--split={split}"]
            assert main([*pack, f"--out={root}"]) == 0
        elif source == "image_folder":
            write_folders(root, split)
        elif source == "cifar10":
            write_cifar(root)
        elif source in ("mnist", "fashion_mnist"):
            write_mnist(root)
        elif source == "parallel":
            for language, sentences in (
                ("en", toy_translation.ENGLISH),
                ("de", toy_translation.GERMAN),
            ):
                text = "".join(f"{line}\n" for line in sentences * 4)
                (root / f"{split}.{language}").write_text(text)
        else:
            assert source in DRAWN, f"write small data in the format {source} here"


def small(command, root):
    """Makes the config of a command small and writes its data; returns it with its recipe."""
    config, recipe = command.config.copy_and_resolve_references(), command.recipe
    config.update(weights="", num_workers=0)
    config.schedule.warmup_steps = min(config.schedule.warmup_steps, 2)
    if recipe is translation:
        config.data.update(vocabulary_size=300, max_length=32)
    else:
        config.batch_size = 4
        if config.data.source in DRAWN:
            config.data.update(train_images=PICTURES, val_images=PICTURES)
        if recipe is classification:
            config.augment.repeats = 1
            config.image_size = min(config.image_size, 64)
    if not config.data.source.startswith(FOREIGN):
        splits = (config.data.train, config.data.val, config.data.test)
        write(config.data.source, root, [split for split in splits if split])
        config.data.path = "" if config.data.source in DRAWN else str(root)
    return config, recipe


COMMANDS = trained_commands()


@pytest.mark.parametrize("text", COMMANDS)
def test_training_command_reads_its_data(text, tmp_path, capsys):
    config, recipe = small(COMMANDS[text], tmp_path)
    if config.data.source.startswith(FOREIGN):
        pytest.skip(f"no small data in the format {config.data.source}")
    experiment = recipe.experiment(config)
    batches = experiment.train_data.batches(0)
    rows = experiment.train_data.rows(next(batches))
    batches.close()
    assert rows == config.batch_size if recipe is not translation else rows > 0
    for each in experiment.eval_data.values():
        assert next(iter(each.data))["mask"].any()


def write_detector(folder, data, classes):
    """Writes the checkpoint of a detector that has learned nothing, without compiling any."""
    config = detection.defaults("yolox")
    config.update(variant="yolox_nano", image_size=32, batch_size=8, epochs=1, num_workers=0)
    config.data.update({"source": "shapes"} | data)
    info = {"class_names": list(classes), "class_weights": [], "train_images": 8}
    batch = {"image": jax.ShapeDtypeStruct((8, 32, 32, 3), np.uint8)}
    shapes = jax.eval_shape(detection.task(config, info).init, jax.random.key(0), batch)
    params, model_state = filled(shapes)
    meta = wiring.meta(detection.__name__, config, info)
    checkpoints = Checkpoints(folder / "checkpoints", meta=meta, best=Best("val/AP"), keep=2)
    state = TrainState(np.asarray(1, np.int32), params, model_state, (), None)
    checkpoints.save(state, {"val/AP": 0.0})
    checkpoints.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with everything that the commands of the other kind name."""
    folder = tmp_path_factory.mktemp("place")
    write("voc", folder / "DIR", ("trainval", "test"))
    drawn = {"source": "shapes", "train_images": 8, "val_images": 8, "test": "test"}
    voc = {"source": "voc", "path": str(folder / "DIR"), "train": "trainval", "val": "test"}
    for name, data, classes in (
        ("yolox", drawn, Shapes.classes),
        ("blood", voc | {"test": "test"}, sorted({"cat", "dog"})),
    ):
        write_detector(folder / "runs" / name, data, classes)
    for copied in ("short", "retinanet"):
        shutil.copytree(folder / "runs" / "yolox", folder / "runs" / copied)
    with toy_translation.prepared():
        toy_translation.write_run(folder / "runs" / "transformer_multi30k_short")
    (folder / "photos").mkdir()
    video = cv2.VideoWriter(
        str(folder / "holiday.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48)
    )
    for i in range(3):
        cv2.imwrite(str(folder / "photos" / f"{i}.jpg"), planted.pixels(i))
        video.write(planted.pixels(i))
    video.release()
    for name, sentences in (("en", toy_translation.ENGLISH), ("de", toy_translation.GERMAN)):
        for stem in ("test", "test_2016_flickr"):
            content = "".join(f"{line}\n" for line in sentences).encode()
            (folder / f"{stem}.{name}.gz").write_bytes(gzip.compress(content))
    return folder


def other_commands():
    """Commands of `jaxvision` but for training, each once."""
    found = {}
    for path in TEXTS:
        for command in shown(path):
            if command.text.startswith("--"):
                continue
            for words in simple_commands(command.text):
                if words[0] == "jaxvision" and words[1:2] != ["train"] and len(words) > 2:
                    found[shlex.join(words[1:])] = None
    return list(found)


# What needs a file that nobody can make here: weights of others, other data; or a network.
NOT_RUN = (".pth", ".safetensors", ".npz", "train2017", "FILE", "download ", "push ", "hf://")
# What needs an extra, and its packages.
EXTRAS = {".onnx": ("onnx", "onnxruntime"), "saved_model": ("tensorflow",)}


@pytest.mark.parametrize("text", other_commands())
def test_command_runs(text, place, monkeypatch, capfd):
    if any(word in text for word in NOT_RUN):
        pytest.skip("it needs a file of its user, the network or a browser")
    for word, packages in EXTRAS.items():
        for package in packages if word in text else ():
            pytest.importorskip(package, reason="it needs an extra")
    monkeypatch.chdir(place)
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert main(shlex.split(text)) == 0, capfd.readouterr().err
