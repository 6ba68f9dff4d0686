"""Everything that reads files from outside, with valid files and the errors that it may raise."""

import functools
import gzip
import io
import json
import pathlib
import struct
import tempfile
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import safetensors.numpy
from PIL import Image

from jaxvision.check.images import read_header
from jaxvision.data.errors import DataError, drop
from jaxvision.data.graph import read_graph
from jaxvision.data.image import decode_image, image_size
from jaxvision.data.label_map import as_classes, class_table, decode_label_map
from jaxvision.data.pack import pack
from jaxvision.data.readers.coco import coco
from jaxvision.data.readers.csv import csv
from jaxvision.data.readers.image_folder import image_folder
from jaxvision.data.readers.labelme import draw_labelme, read_labelme
from jaxvision.data.readers.mnist import mnist
from jaxvision.data.readers.planetoid import PARTS
from jaxvision.data.readers.voc import voc
from jaxvision.data.readers.yolo import yolo
from jaxvision.data.sources.packed import packed
from jaxvision.data.text.parallel import read_lines
from jaxvision.pretrained.darknet_file import read_darknet
from jaxvision.pretrained.hub import repository
from jaxvision.pretrained.read import read_state
from jaxvision.train.package import checked, read_arrays
from tests import python2_pickles as py2

SIZE = 24, 16  # width and height of all pictures


class Parser(NamedTuple):
    """One parser.

    Attributes:
        seeds: Valid files.
        read: Reads a file's content, with a folder to write it to.
        errors: What it may raise.
    """

    seeds: list[bytes]
    read: Callable[[bytes, pathlib.Path], object]
    errors: tuple[type[Exception], ...] = (DataError,)


def _pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


def pictures() -> list[bytes]:
    """Returns a picture in each format."""
    found, image = [], Image.fromarray(_pixels())
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds = [("JPEG", {"exif": exif}), ("JPEG", {"progressive": True}), ("PNG", {"exif": exif})]
    kinds += [("WEBP", {"exif": exif}), ("WEBP", {"lossless": True}), ("TIFF", {"exif": exif})]
    kinds += [("GIF", {}), ("BMP", {}), ("PPM", {}), ("AVIF", {})]
    for kind, options in kinds:
        file = io.BytesIO()
        image.save(file, kind, **options)
        found.append(file.getvalue())
    for mode, kind in (("L", "PNG"), ("P", "PNG"), ("I;16", "PNG"), ("1", "TIFF"), ("L", "JPEG")):
        file = io.BytesIO()
        converted = image.convert("L").convert("I").convert(mode) if mode == "I;16" else None
        (converted or image.convert(mode)).save(file, kind)
        found.append(file.getvalue())
    return found


def _picture(data: bytes, folder: pathlib.Path) -> None:
    del folder
    read_header(data)
    size = _or_none(lambda: image_size(data, "a.png"))
    image = decode_image(data, "a.png")
    # Of damaged EXIF, OpenCV and Pillow may read different orientations.
    if size not in (image.shape[:2], image.shape[1::-1]):
        raise AssertionError(f"image_size says {size}, decode_image gives {image.shape}")


def _or_none(read: Callable[[], object]) -> object:
    try:
        return read()
    except DataError:
        return None


def _label_maps() -> list[bytes]:
    found = []
    for kind, mode in (("PNG", "P"), ("PNG", "L"), ("TIFF", "L"), ("GIF", "P"), ("BMP", "L")):
        file = io.BytesIO()
        Image.frombytes(mode, SIZE, bytes(i % 21 for i in range(SIZE[0] * SIZE[1]))).save(
            file, kind
        )
        found.append(file.getvalue())
    return found


def _label_map(data: bytes, folder: pathlib.Path) -> None:
    del folder
    as_classes(decode_label_map(data, "a.png"), class_table(21), "a.png")


PNG = cv2.imencode(".png", _pixels())[1].tobytes()


def _placed(file: pathlib.Path, data: bytes) -> pathlib.Path:
    if not file.parent.is_dir():
        file.parent.mkdir(parents=True)
    file.write_bytes(data)
    return file


def _coco_seeds() -> list[bytes]:
    width, height = SIZE
    document = {
        "images": [
            {"id": i, "file_name": f"{i}.png", "width": width, "height": height} for i in (1, 2)
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 9, 9], "iscrowd": 0}
            | {"area": 81.0, "segmentation": [[1, 2, 10, 2, 10, 11, 1.5, 11]]},
            {"id": 2, "image_id": 2, "category_id": 3, "bbox": [0.5, 2, 3, 4], "iscrowd": 1}
            | {"segmentation": {"size": [height, width], "counts": [10, 20, height * width - 30]}},
            {"id": 3, "image_id": 2, "category_id": 3, "bbox": [0, 0, 3, 4]},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 3, "name": "dog"}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    return [text, text.replace(b"},", b"},\n ")]


def _coco(data: bytes, folder: pathlib.Path) -> None:
    if not (folder / "train/2.png").exists():
        for i in (1, 2):
            _placed(folder / f"train/{i}.png", PNG)
    _placed(folder / "annotations/instances_train.json", data)
    source = coco(str(folder), "train", masks=True, on_fault=drop)
    for i in range(min(len(source), 3)):
        _ = _or_none(lambda i=i: source[i])
    coco(str(folder), "train")


_VOC = (
    "<annotation><filename>a.png</filename><size><width>24</width><height>16</height><depth>3"
    "</depth></size><object><name>cat</name><difficult>0</difficult><bndbox><xmin>1</xmin>"
    "<ymin>2</ymin><xmax>9.5</xmax><ymax>12</ymax></bndbox></object></annotation>"
)


def _voc(data: bytes, folder: pathlib.Path) -> None:
    if not (folder / "ImageSets").exists():
        _placed(folder / "ImageSets/Main/train.txt", b"a\n")
        _placed(folder / "JPEGImages/a.png", PNG)
    _placed(folder / "Annotations/a.xml", data)
    _ = voc(str(folder), "train")[0]


def _yolo_yaml(data: bytes, folder: pathlib.Path) -> None:
    if not (folder / "images").exists():
        _placed(folder / "images/train/a.png", PNG)
        _placed(folder / "labels/train/a.txt", b"1 0.5 0.5 0.2 0.2\n")
    _placed(folder / "data.yaml", data)
    _ = yolo(str(folder), "train")[0]


def _yolo_labels(data: bytes, folder: pathlib.Path) -> None:
    if not (folder / "images").exists():
        _placed(folder / "images/train/a.png", PNG)
        _placed(folder / "classes.txt", b"cat\ndog\n")
    _placed(folder / "labels/train/a.txt", data)
    _ = yolo(str(folder), "train", masks=True, on_fault=drop)[0]
    yolo(str(folder), "train")


def _csv(data: bytes, folder: pathlib.Path) -> None:
    if not (folder / "train").exists():
        _placed(folder / "train/a.png", PNG)
    _placed(folder / "train.csv", data)
    _or_none(lambda: csv(str(folder), "train", on_fault=drop)[0])
    csv(str(folder), "train")


def _zip_seeds() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for label in ("cat", "dog"):
                archive.writestr(f"{label}/a.png", PNG)
        found.append(file.getvalue())
    return found


def _zip(data: bytes, folder: pathlib.Path) -> None:
    _placed(folder / "train.zip", data)
    source = image_folder(str(folder), "train")
    for i in range(min(len(source), 3)):
        _ = source[i]


def _labelme_seeds() -> list[bytes]:
    shapes = [
        {"label": "cat", "points": [[1, 2], [9, 2], [5.5, 9]], "shape_type": "polygon"},
        {"label": "cat", "points": [[1, 2], [9, 2]], "shape_type": "rectangle"},
        {"label": "dog", "points": [[1, 2], [9, 2]], "shape_type": "circle"},
    ]
    document = {"imageHeight": 16, "imageWidth": 24, "imagePath": "a.png", "shapes": shapes}
    return [json.dumps(document).encode()]


def _labelme(data: bytes, folder: pathlib.Path) -> None:
    _placed(folder / "a.json", data)
    for each in read_labelme(str(folder)):
        draw_labelme(each, ("background", "cat", "dog"))


def _idx(axes: int, *sizes: int) -> bytes:
    count = int(np.prod(sizes))
    return bytes([0, 0, 8, axes]) + struct.pack(f">{axes}i", *sizes) + bytes(count)


def _mnist(data: bytes, folder: pathlib.Path) -> None:
    if not (folder / "train-labels-idx1-ubyte").exists():
        _placed(folder / "train-labels-idx1-ubyte", _idx(1, 2))
    plain, packed = folder / "train-images-idx3-ubyte", folder / "train-images-idx3-ubyte.gz"
    plain.unlink(missing_ok=True)
    _placed(packed if data.startswith(b"\x1f") else plain, data)
    _ = mnist(str(folder), "train")[0]


@functools.cache
def _graph_files() -> dict[str, bytes]:
    """Returns Planetoid's files of a graph of six nodes, by their names' ends."""
    features, labels = np.eye(5, 3), np.eye(2, dtype="<i4")[[0, 1, 0, 1, 1]]
    found = {"x": features[:1], "allx": features[:3], "tx": features[3:]}
    files = {part: py2.sparse(rows) for part, rows in found.items()}
    found = {"y": labels[:1], "ally": labels[:3], "ty": labels[3:]}
    files |= {part: py2.array(rows) for part, rows in found.items()}
    return files | {"graph": py2.graph({0: [1, 2], 5: [3], 4: []}), "test.index": b"5\n3\n"}


def _planetoid(part: str) -> Parser:
    """Returns a parser of a graph of which this file is another one."""

    def read(data: bytes, folder: pathlib.Path) -> None:
        for end in PARTS:
            _placed(folder / f"ind.a.{end}", data if end == part else _graph_files()[end])
        _naming(folder / "ind.a", lambda: read_graph(folder / "ind.a"))

    return Parser([_graph_files()[part]], read)


def _lines(data: bytes, folder: pathlib.Path) -> None:
    list(read_lines(_placed(folder / "train.en.gz", data)))


@functools.cache
def _packed_files() -> dict[str, bytes]:
    """Packs a dataset with masks; returns its files by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for i in (1, 2):
            _placed(folder / f"train/{i}.png", PNG)
        _placed(folder / "annotations/instances_train.json", _coco_seeds()[0])
        pack(coco(name, "train", masks=True), str(folder / "packed/train"))
        return {file.name: file.read_bytes() for file in (folder / "packed/train").iterdir()}


def _packed(suffix: str) -> Parser:
    """Returns a parser of a packed split of which the file of this ending is another one."""
    changed = next(name for name in _packed_files() if name.endswith(suffix))

    def read(data: bytes, folder: pathlib.Path) -> None:
        for name, content in _packed_files().items():
            if name != changed and not (folder / "train" / name).exists():
                _placed(folder / "train" / name, content)
        _placed(folder / "train" / changed, data)
        source = packed(str(folder), "train")
        for i in range(min(len(source), 2)):
            _ = source[i]

    return Parser([_packed_files()[changed]], read)


def _state() -> dict[str, np.ndarray]:
    return {
        "stem.weight": np.ones((2, 3), np.float32),
        "stem.bias": np.ones(2, np.float16),
        "count": np.ones((), np.int64),
    }


def _npz_seeds() -> list[bytes]:
    files = [io.BytesIO(), io.BytesIO()]
    np.savez(files[0], **_state())
    np.savez_compressed(files[1], **_state())
    return [file.getvalue() for file in files]


def _pickles() -> list[bytes]:
    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def tensor(key: str) -> bytes:
        pid = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu")
        head = (
            b"ctorch._utils\n_rebuild_tensor_v2\nq\x00(" + pid + b"K\x04tQK\x00K\x02K\x02\x86q\x01"
        )
        return head + b"K\x02K\x01\x86\x89ccollections\nOrderedDict\n)RtR"

    weights = b"}q\x02(" + text("a.weight") + tensor("0") + text("a.bias") + tensor("1") + b"uq\x03"
    optimizer = b"}q\x04(" + text("state") + b"}" + text("groups") + b"]q\x05(K\x01G" + bytes(8)
    optimizer += b"NK\x02K\x03\x86h\x03eu"
    nested = b"\x80\x02}q\x06(" + text("model") + weights + text("optimizer") + optimizer + b"u."
    made = b"cown\nNet\n)\x81q\x07}(" + text("_parameters") + b"}" + text("w") + tensor("0") + b"s"
    module = b"\x80\x02" + made + text("_modules") + b"}ub."
    device = b"\x80\x02}" + text("d") + b"ctorch\ndevice\n" + text("cuda") + b"K\x00\x86Rs0"
    return [nested, module, device + weights + b"."]


def torch_file(pickled: bytes) -> bytes:
    """Returns a `.pth` file of a pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/byteorder", "little")
        for key in "01":
            archive.writestr(f"a/data/{key}", bytes(16))
    return file.getvalue()


def _weights(suffix: str, make: Callable[[bytes], bytes] = bytes) -> Callable[..., None]:
    def read(data: bytes, folder: pathlib.Path) -> None:
        path = _placed(folder / f"weights{suffix}", make(data))
        _naming(path, lambda: read_state(path))

    return read


def _naming(path: pathlib.Path, read: Callable[[], object]) -> None:
    """Calls a function whose errors must name the file."""
    try:
        read()
    except ValueError as error:
        if path.name not in str(error):
            raise AssertionError(f"the message does not name {path.name}: {error}") from error


def _darknet(data: bytes, folder: pathlib.Path) -> None:
    path = _placed(folder / "a.weights", data)

    def shapes(classes: int) -> dict[str, tuple[int, ...]]:
        return {"layer0.conv.bias": (classes,), "layer0.conv.weight": (classes, 3, 1, 1)}

    _naming(path, lambda: read_darknet(path, shapes))


def _arrays(data: bytes, folder: pathlib.Path) -> None:
    path = _placed(folder / "model.safetensors", data)
    _naming(path, lambda: read_arrays(path))


def _meta(data: bytes, folder: pathlib.Path) -> None:
    path = folder / "config.json"
    _naming(path, lambda: checked(data.decode("latin1"), path))


_CSV = (
    "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,24,16,cat,1,2,9,9\na.png,24,16,,,,,\n"
)
_OWN = {"params/stem/kernel": np.ones((2, 3), np.float32), "params/stem/bias": np.ones(3)}

PARSERS: dict[str, Parser] = {
    "picture": Parser(pictures(), _picture),
    "label_map": Parser(_label_maps(), _label_map),
    "coco": Parser(_coco_seeds(), _coco),
    "voc": Parser([_VOC.encode(), b'<?xml version="1.0" encoding="UTF-8"?>' + _VOC.encode()], _voc),
    "yolo_yaml": Parser(
        [
            b"path: .\ntrain: images/train\nnc: 2\nnames: [cat, dog]\n",
            b"names:\n  0: cat\n  1: 'dog'\n",
        ],
        _yolo_yaml,
    ),
    "yolo_labels": Parser([b"0 0.5 0.5 0.2 0.3\n1 0.1 0.2 0.3 0.4 0.5 0.1\n"], _yolo_labels),
    "csv": Parser([_CSV.encode(), _CSV.replace(",", ";").replace("cat", '"cat"').encode()], _csv),
    "zip": Parser(_zip_seeds(), _zip),
    "labelme": Parser(_labelme_seeds(), _labelme),
    "idx": Parser([_idx(3, 2, 4, 4), gzip.compress(_idx(3, 2, 4, 4))], _mnist),
    "planetoid_matrix": _planetoid("allx"),
    "planetoid_array": _planetoid("ally"),
    "planetoid_graph": _planetoid("graph"),
    "planetoid_index": _planetoid("test.index"),
    "text": Parser([gzip.compress(b"a line\nanother one\n")], _lines),
    "packed_json": _packed(".json"),
    "packed_arrays": _packed(".npz"),
    "packed_records": _packed(".array_record"),
    "pickle": Parser(_pickles(), _weights(".pth", torch_file)),
    "torch": Parser([torch_file(pickled) for pickled in _pickles()], _weights(".pth")),
    "npz": Parser(_npz_seeds(), _weights(".npz")),
    "safetensors": Parser([safetensors.numpy.save(_state())], _weights(".safetensors")),
    "darknet": Parser([struct.pack("<iiiq8f", 0, 2, 0, 0, *range(8))], _darknet),
    "package": Parser([safetensors.numpy.save(_OWN)], _arrays),
    "meta": Parser([b'{"step":3,"layout":1,"recipe":"detection","config":{},"info":{}}'], _meta),
    "hub": Parser(
        [b"hf://me/digits"], lambda data, _: repository(data.decode("latin1")), (ValueError,)
    ),
}
