"""Small data in every format that a training command of the documentation names."""

import functools
import gzip
import random
import zipfile

import cv2
import numpy as np
import planted
import python2_pickles
import toy_translation

from jaxvision.cli.main import main
from jaxvision.data.sources.drawn_graph import drawn_graph
from jaxvision.data.sources.drawn_opinions import drawn_opinions
from jaxvision.data.sources.glyphs import Glyphs

# Of one split, for every format: two batches of 8.
PICTURES = 16
# Of recipes whose format needs no files.
DRAWN = ("shapes", "digits", "motions", "glyphs", "drawn", "drawn_baskets")
# Frames of a video, as many as the networks of clips see.
FRAMES = 16
ALPHABETS = ("Greek", "Latin")
CHARACTERS = 20
# The documentation asks networks of texts about some of these.
WORDS = (
    *("the", "prince", "saw", "an", "old", "man", "and", "his", "horse", "when", "women", "men"),
    *("soldiers", "of", "king", "had", "gone", "to", "house"),
)


def pictures_of(split, number):
    return planted.clean(PICTURES, number * PICTURES, f"{split}_")


def image(number, side=32):
    return cv2.resize(planted.pixels(number), (side, side))


def save(file, picture):
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), picture)


def write_coco(root, split, number):
    pictures = pictures_of(split, number)
    planted.write_coco(root, split, pictures, planted.coco_document(pictures))


def write_voc(root, split, number):
    planted.write_voc(root, split, pictures_of(split, number))


def write_yolo(root, split, number):
    planted.write_yolo(root, split, pictures_of(split, number))


def write_csv(root, split, number):
    pictures = pictures_of(split, number)
    planted.write_images(root / split, pictures)
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for picture in pictures:
        for name, box in picture.objects:
            rows.append(f"{picture.name},64,48,{name},{','.join(map(str, box))}")
    (root / f"{split}.csv").write_text("\n".join(rows) + "\n")


def write_packed(root, split, number):
    write_voc(root / "voc", split, number)
    pack = ["pack", "--source=voc", f"--path={root / 'voc'}", f"--split={split}"]
    assert main([*pack, f"--out={root}"]) == 0


def write_image_folder(root, split, number):
    for i in range(PICTURES):
        save(root / split / "ab"[i % 2] / f"{i}.png", image(number * PICTURES + i))


def write_pictures(root, split, number, side=144):
    for i in range(PICTURES // 2):
        save(root / f"{split}{i}.png", image(number * PICTURES + i, side))


def write_videos(root, split, number):
    for i in range(PICTURES):
        for frame in range(FRAMES):
            save(root / split / "ab"[i % 2] / str(i) / f"{frame:02}.png", image(frame + i + number))


def write_cifar(root, split, number):
    del split, number
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        records = rng.integers(0, 256, (PICTURES, 3073), np.uint8)
        records[:, 0] %= 10
        (root / name).write_bytes(records.tobytes())
    (root / "batches.meta.txt").write_text("".join(f"class{i}\n" for i in range(10)))


def write_mnist(root, split, number):
    del split, number
    rng = np.random.default_rng(0)
    for name in ("train", "t10k"):
        sizes = np.array([PICTURES, 28, 28], ">i4").tobytes()
        images = rng.integers(0, 256, (PICTURES, 28, 28), np.uint8).tobytes()
        (root / f"{name}-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + sizes + images)
        labels = (np.arange(PICTURES) % 10).astype(np.uint8).tobytes()
        (root / f"{name}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + sizes[:4] + labels)


def write_omniglot(root, split, number):
    """Characters of two alphabets, one of which is the split that the configs evaluate."""
    del split, number
    drawings = 10
    characters = Glyphs(len(ALPHABETS) * CHARACTERS, drawings=drawings)
    with zipfile.ZipFile(root / "images_background.zip", "w") as archive:
        for i, sample in enumerate(characters):
            alphabet, character = divmod(i // drawings, CHARACTERS)
            file = f"{ALPHABETS[alphabet]}/character{character:02}/{i % drawings:02}.png"
            png = planted.encode(255 - sample.image, ".png")
            archive.writestr(f"images_background/{file}", png)


def label_map(number, side=32):
    rng = np.random.default_rng(number)
    return cv2.resize(rng.integers(0, 3, (4, 4), np.uint8), (side, side), interpolation=0)


def write_label_maps(root, split, number, places=("{split}/images", "{split}/masks"), ending="png"):
    """Images and maps of three classes, which `classes.txt` names."""
    images, masks = (root / place.format(split=split) for place in places)
    for i in range(PICTURES):
        save(images / f"{split}{i}.{ending}", image(number * PICTURES + i))
        save(masks / f"{split}{i}.png", label_map(number * PICTURES + i))
    (root / "classes.txt").write_text("background\ncat\ndog\n")


def write_voc_maps(root, split, number):
    write_label_maps(root, split, number, ("JPEGImages", "SegmentationClass"), "jpg")
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True, exist_ok=True)
    (lists / f"{split}.txt").write_text("".join(f"{split}{i}\n" for i in range(PICTURES)))


def write_parallel(root, split, number):
    del number
    for language, sentences in (("en", toy_translation.ENGLISH), ("de", toy_translation.GERMAN)):
        (root / f"{split}.{language}").write_text("".join(f"{x}\n" for x in sentences * 4))


def write_text(root, split, number):
    rng = random.Random(number)
    lines = "".join(f"{' '.join(rng.choices(WORDS, k=9))}\n" for _ in range(2000))
    (root / f"{split}.txt").write_text(lines)


def write_text_folder(root, split, number):
    texts, labels = drawn_opinions(64, seed=number)
    (root / split).mkdir(exist_ok=True)
    for label, name in enumerate(("negative", "positive")):
        own = [text for text, of in zip(texts, labels, strict=True) if of == label]
        (root / split / f"{name}.txt").write_text("".join(f"{text}\n" for text in own))


def write_npz(file):
    graph = drawn_graph(200)
    np.savez(
        file,
        shape=(len(graph.labels), graph.num_features),
        row=graph.rows,
        col=graph.columns,
        edges=graph.edges,
        labels=graph.labels,
        **graph.splits,
    )


def write_planetoid(stem):
    """Writes the drawn graph in Planetoid's eight files; the test's nodes come last."""
    graph = drawn_graph(200)
    features = np.zeros((len(graph.labels), graph.num_features))
    features[graph.rows, graph.columns] = 1
    classes = np.eye(graph.num_classes, dtype="<i4")[graph.labels]
    train, test = len(graph.splits["train"]), graph.splits["test"]
    parts = {"": slice(train), "all": slice(test[0]), "t": slice(test[0], None)}
    for name, nodes in parts.items():
        part = python2_pickles.sparse(features[nodes])
        stem.with_name(f"{stem.name}.{name}x").write_bytes(part)
        part = python2_pickles.array(classes[nodes])
        stem.with_name(f"{stem.name}.{name}y").write_bytes(part)
    near = {node: graph.edges[graph.edges[:, 0] == node, 1].tolist() for node in range(200)}
    stem.with_name(f"{stem.name}.graph").write_bytes(python2_pickles.graph(near))
    index = "".join(f"{node}\n" for node in test)
    stem.with_name(f"{stem.name}.test.index").write_text(index)


OBJECTS = {
    "coco": write_coco,
    "voc": write_voc,
    "yolo": write_yolo,
    "csv": write_csv,
    "packed": write_packed,
}
CLASSES = {
    "image_folder": write_image_folder,
    "video_folder": write_videos,
    "cifar10": write_cifar,
    "mnist": write_mnist,
    "fashion_mnist": write_mnist,
    "pictures": write_pictures,
}
TEXTS = {"text": write_text}
RESTORING = {"folder": write_pictures}
# Writers of a split by recipe and format. Those of a graph write one file, or the files of a stem.
WRITERS = {
    "detection": OBJECTS,
    "classification": CLASSES | {f"objects:{name}": write for name, write in OBJECTS.items()},
    "adversarial": CLASSES,
    "diffusion": CLASSES,
    "segmentation": {
        "folder": write_label_maps,
        "voc": write_voc_maps,
        "camvid": functools.partial(write_label_maps, places=("{split}", "{split}_labels")),
    },
    "super_resolution": RESTORING,
    "adversarial_super_resolution": RESTORING,
    "diffusion_super_resolution": RESTORING,
    "zero_shot": RESTORING,
    "few_shot": {"omniglot": write_omniglot},
    "language_modelling": TEXTS,
    "word_embedding": TEXTS,
    "text_classification": {"folder": write_text_folder},
    "translation": {"parallel": write_parallel},
}
# The same by what `--source` of a command is called.
READ = {
    **OBJECTS,
    "folder": write_image_folder,
    "masks": write_label_maps,
    "text": write_parallel,
}
GRAPHS = {"npz": write_npz, "planetoid": write_planetoid}


def write(recipe, source, path, splits):
    """Writes data where a command expects them.

    Args:
        recipe: Name of the recipe.
        source: The format.
        path: The folder; of a graph, the file.
        splits: Names of the splits.
    """
    if source in DRAWN:
        return
    if source in GRAPHS:
        path.parent.mkdir(parents=True, exist_ok=True)
        GRAPHS[source](path)
        return
    assert source in WRITERS[recipe], f"write small data of {recipe} in the format {source} here"
    if path.name.endswith(".txt.gz"):  # one file in place of a folder of them
        write_text(path.parent, "train", 0)
        path.write_bytes(gzip.compress((path.parent / "train.txt").read_bytes()))
        return
    path.mkdir(parents=True, exist_ok=True)
    for number, split in enumerate(splits):
        WRITERS[recipe][source](path, split, number)
