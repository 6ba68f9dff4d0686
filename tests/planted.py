"""Writes small detection datasets, in three formats, from one description."""

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

CLASSES = ("cat", "dog", "bird")
WIDTH, HEIGHT = 64, 48
GOOD = (("cat", (4, 4, 24, 30)), ("dog", (30, 10, 60, 44)))


class Picture(NamedTuple):
    """One image: file name, content (None: no file), annotated size, (class, xyxy) objects."""

    name: str
    content: bytes | None
    size: tuple[int, int] = (WIDTH, HEIGHT)
    objects: tuple = GOOD

    @property
    def stem(self) -> str:
        return Path(self.name).stem


def pixels(seed: int, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    """Smooth pixels that no other seed has."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, np.iinfo(dtype).max, (6, 8, channels)).astype(np.float32)
    picture = cv2.resize(coarse, (WIDTH, HEIGHT)).reshape(HEIGHT, WIDTH, channels)
    if channels == 4:
        picture[..., 3] = 255
    return picture.astype(dtype)


def encode(picture: np.ndarray, suffix: str = ".jpg") -> bytes:
    return cv2.imencode(suffix, picture)[1].tobytes()


def jpeg(seed: int) -> bytes:
    return encode(pixels(seed))


def rotated(seed: int, folder: Path, orientation: int) -> bytes:
    """A JPEG file with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = folder / "rotated.jpg"
    Image.fromarray(pixels(seed)).save(file, exif=exif)
    content = file.read_bytes()
    file.unlink()
    return content


def clean(count: int, seed: int, prefix: str) -> list[Picture]:
    """Pictures without any fault."""
    return [Picture(f"{prefix}{i}.jpg", jpeg(seed + i)) for i in range(count)]


def write_images(folder: Path, pictures: list[Picture]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        if picture.content is not None:
            (folder / picture.name).write_bytes(picture.content)


def write_voc(root: Path, split: str, pictures: list[Picture]) -> None:
    write_images(root / "JPEGImages", pictures)
    for folder in ("Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        (root / "Annotations" / f"{picture.stem}.xml").write_text(voc_xml(picture))
    names = "".join(f"{picture.stem}\n" for picture in pictures)
    (root / "ImageSets" / "Main" / f"{split}.txt").write_text(names)


def voc_xml(picture: Picture, filename: str | None = None) -> str:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>"
        f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
        for name, (x1, y1, x2, y2) in picture.objects
    )
    width, height = picture.size
    return (
        f"<annotation><filename>{filename or picture.name}</filename><size><width>{width}</width>"
        f"<height>{height}</height></size>{objects}</annotation>"
    )


def coco_document(pictures: list[Picture], classes: tuple[str, ...] = CLASSES) -> dict:
    images, annotations = [], []
    for number, picture in enumerate(pictures):
        width, height = picture.size
        name = {"file_name": picture.name, "width": width, "height": height}
        images.append({"id": number, **name})
        for name, (x1, y1, x2, y2) in picture.objects:
            category = classes.index(name)
            box = {"category_id": category, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            annotations.append({"id": len(annotations), "image_id": number, **box})
    categories = [{"id": number, "name": name} for number, name in enumerate(classes)]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(root: Path, split: str, pictures: list[Picture], document: dict) -> None:
    write_images(root / split, pictures)
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(document))


def write_yolo(root: Path, split: str, pictures: list[Picture]) -> None:
    write_images(root / "images" / split, pictures)
    labels = root / "labels" / split
    labels.mkdir(parents=True, exist_ok=True)
    (root / "data.yaml").write_text(f"names: {list(CLASSES)}\n")
    for picture in pictures:
        width, height = picture.size
        lines = [
            f"{CLASSES.index(name)} {(x1 + x2) / 2 / width:.8f} {(y1 + y2) / 2 / height:.8f} "
            f"{(x2 - x1) / width:.8f} {(y2 - y1) / height:.8f}\n"
            for name, (x1, y1, x2, y2) in picture.objects
        ]
        (labels / f"{picture.stem}.txt").write_text("".join(lines))
