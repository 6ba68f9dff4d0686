"""Files made to end a reader with another error than its own, to hang it, or to fill the memory."""

import gzip
import json
import os
import re
import struct
import zipfile

import cv2
import numpy as np
import pytest

from jaxvision.data.errors import DataError, FaultLog
from jaxvision.data.readers.checks import OUTSIDE
from jaxvision.data.readers.coco import coco
from jaxvision.data.readers.csv import csv
from jaxvision.data.readers.image_folder import image_folder
from jaxvision.data.readers.labelme import read_labelme
from jaxvision.data.readers.mnist import mnist
from jaxvision.data.readers.pictures import pictures
from jaxvision.data.readers.voc import voc
from jaxvision.data.readers.voc_label_maps import voc_label_maps
from jaxvision.data.readers.yolo import yolo
from jaxvision.data.readers.zip_file import ZipMembers
from jaxvision.data.text.parallel import read_lines

PNG = cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))[1].tobytes()


def place(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def coco_text(**replaced):
    """A document of one image with one object, in which fields are other JSON."""
    fields = dict(id=1, file_name='"a.png"', width=64, height=48, bbox="[1,2,3,4]", area=12)
    fields |= dict(iscrowd=0, category_id=1, name='"cat"', segmentation="null", more="")
    fields |= replaced
    text = (
        '{"images":[{"id":1,"file_name":@file_name,"width":@width,"height":@height},'
        '{"id":2,"file_name":"b.png","width":64,"height":48}],"annotations":[{"id":@id,'
        '"image_id":1,"category_id":@category_id,"bbox":@bbox,"area":@area,'
        '"iscrowd":@iscrowd,"segmentation":@segmentation}@more],"categories":'
        '[{"id":1,"name":@name},{"id":2,"name":"dog"}]}'
    )
    return re.sub("@([a-z_]+)", lambda field: str(fields[field[1]]), text)


def open_coco(folder, text, **options):
    place(folder / "annotations/instances_train.json", text)
    for name in ("a.png", "b.png"):
        place(folder / "train" / name, PNG)
    return coco(str(folder), "train", **options)


HUGE = "9" * 400
DEEP = "[" * 20_000 + "]" * 20_000


@pytest.mark.parametrize(
    "fields",
    [
        dict(width=1 << 31),
        dict(width=HUGE),
        dict(height="true"),
        dict(bbox=f"[1,2,{HUGE},4]"),
        dict(bbox=DEEP),
        dict(id=DEEP),
        dict(id="9" * 5_000),
        dict(area=HUGE),
        dict(more=",1"),
        dict(more=",[1]"),
        dict(more=",true"),
        dict(name='"\\ud800"'),
        dict(file_name='"\\ud800.png"'),
        dict(file_name='"a.png\\u0000"'),
        dict(file_name='"' + "a" * 5_000 + '"'),
        dict(iscrowd='"yes"'),
        dict(iscrowd=2),
        dict(segmentation=f"[[{HUGE},1,2,3,4,5]]"),
        dict(segmentation=f'{{"size":[{HUGE},4],"counts":[16]}}'),
        dict(segmentation='{"size":[48,64],"counts":"\\u00e9"}'),
        dict(segmentation='{"size":[48,64],"counts":[-1]}'),
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_coco_raises_its_own_error_and_drops(tmp_path, fields):
    text = coco_text(**fields)
    with pytest.raises(DataError, match=r"instances_train\.json") as error:
        open_coco(tmp_path, text, masks=True)
    assert len(str(error.value)) < 1_000
    if DEEP not in text and "9" * 5_000 not in text:  # after broken JSON nothing can be read
        log = FaultLog()
        assert len(open_coco(tmp_path, text, masks=True, on_fault=log)) >= 1
        assert "examples dropped" in log.report()


@pytest.mark.parametrize(("value", "crowd"), [('"0"', False), ('"1"', True), ("true", True)])
def test_iscrowd_may_be_text(tmp_path, value, crowd):
    source = open_coco(tmp_path, coco_text(iscrowd=value))
    assert source.annotations.crowd.tolist() == [crowd]


@pytest.mark.parametrize(
    "segmentation",
    [
        "[[0,0,1e7,0,1e7,1e7]]",
        "[[0,0,1e300,0,1e300,1e300]]",
        "[[0,0,NaN,0,3,3]]",
        '{"size":[48,64],"counts":[1,500000000]}',
        '{"size":[48,64],"counts":"ZZZZ"}',
    ],
)
def test_damaged_masks_are_errors_of_their_image(tmp_path, segmentation):
    with pytest.raises(DataError, match=r"a\.png|annotation 1"):
        open_coco(tmp_path, coco_text(segmentation=segmentation), masks=True)[0]


@pytest.mark.parametrize("name", ["{}/outside.png", "../outside.png", "..\\\\outside.png"])
def test_files_outside_the_dataset_need_the_users_word(tmp_path, monkeypatch, name):
    place(tmp_path / "outside.png", PNG)
    data = tmp_path / "data"
    text = coco_text(file_name=json.dumps(name.format(tmp_path)).replace("\\\\\\\\", "\\\\"))
    with pytest.raises(DataError, match=f"{OUTSIDE}=1"):
        open_coco(data, text)
    table = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    place(data / "train.csv", f"{table}{name.format(tmp_path)},64,48,cat,1,2,3,4\n")
    with pytest.raises(DataError, match=f"{OUTSIDE}=1"):
        csv(str(data), "train")
    if "\\" not in name:
        place(data / "ImageSets/Segmentation/train.txt", name.format(tmp_path))
        with pytest.raises(DataError, match=f"{OUTSIDE}=1"):
            voc_label_maps(str(data), "train")
        monkeypatch.setenv(OUTSIDE, "1")
        place(data / "outside.png", PNG)  # what `../` of data/train leads to
        assert open_coco(data, text)[0].image.shape == (48, 64, 3)


VOC = "<annotation><size><width>{}</width><height>48</height></size></annotation>"


@pytest.mark.parametrize(
    "text",
    [
        *(VOC.format(width) for width in ("nan", "inf", "1e30", "-1", "9" * 5_000)),
        '<?xml version="1.0" encoding="klingon"?><annotation/>',
        '<?xml version="1.0" encoding="utf-7"?><annotation/>',
        '<!DOCTYPE a [<!ENTITY b "b">]><annotation>&b;</annotation>',
        '<!DOCTYPE a [<!ENTITY b "b">]><annotation>&b;</annotation>'.encode("utf-16"),
        "<annotation>" * 50_000,
    ],
    ids=lambda text: text[:60],
)
def test_voc_raises_its_own_error_and_drops(tmp_path, text):
    place(tmp_path / "ImageSets/Main/train.txt", "a\nb\n")
    for name, annotation in (("a", text), ("b", VOC.format(64))):
        place(tmp_path / f"JPEGImages/{name}.png", PNG)
        place(tmp_path / f"Annotations/{name}.xml", annotation)
    with pytest.raises(DataError, match=r"a\.xml"):
        voc(str(tmp_path), "train", classes=("cat",))
    assert len(voc(str(tmp_path), "train", classes=("cat",), on_fault=FaultLog())) == 1


BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n"
    for a, b in zip("abcdefghijklmn", "bcdefghijklmno", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "names: " + DEEP,
        "- " * 5_000,
        f"{BOMB}names: *o\n",
        "names: {0: a, b: c}",
        "names: [a, [b]]",
        'names: ["\\ud800"]',
        "names: [a]\ntrain: [1, {a: b}]",
        'names: [a]\ntrain: "\\0"',
        "names: !!python/object:os.system [a]",
        "names: \x01",
        "[a, b]",
        "# " + "x" * (1 << 20),
    ],
    ids=lambda text: text[:30],
)
def test_yolo_raises_its_own_error(tmp_path, text):
    place(tmp_path / "data.yaml", text)
    with pytest.raises(DataError, match=str(tmp_path)) as error:
        yolo(str(tmp_path), "train")
    assert len(str(error.value)) < 1_000


@pytest.mark.parametrize("form", ["[{}]", "{{{}}}"])
def test_yolo_reads_names_as_they_are_written(tmp_path, form):
    names = ["yes", "no", "on", "2024-99-99", "007", "1:60", "null", "1e3"]
    items = names if form == "[{}]" else [f"{i}: {name}" for i, name in enumerate(names)]
    place(tmp_path / "data.yaml", f"path:\nnames: {form.format(', '.join(items))}\n")
    place(tmp_path / "images/train/a.png", PNG)
    place(tmp_path / "labels/train/a.txt", "1 0.5 0.5 0.2 0.2\n")
    assert yolo(str(tmp_path), "train").classes == tuple(names)


@pytest.mark.parametrize(
    "text",
    [
        'filename,width,height,class,xmin,ymin,xmax,ymax,"a\nb.png,64,48,cat,1,2,3,4',
        'filename,width,height,class,xmin,ymin,xmax,ymax,"a"b\nb.png,64,48,cat,1,2,3,4',
        f"filename,width,height,class,xmin,ymin,xmax,ymax,{'x' * 200_000}\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,64,1e30,cat,1,2,3,4",
        f"filename,width,height,class,xmin,ymin,xmax,ymax\na.png,64,{HUGE},cat,1,2,3,4",
        f"filename,width,height,class,xmin,ymin,xmax,ymax\n{'a' * 5_000},64,48,cat,1,2,3,4",
    ],
    ids=lambda text: text[-40:],
)
def test_csv_raises_its_own_error(tmp_path, text):
    place(tmp_path / "train.csv", text)
    with pytest.raises(DataError, match=r"train\.csv") as error:
        csv(str(tmp_path), "train")
    assert len(str(error.value)) < 1_000


def archive(folder, method=zipfile.ZIP_DEFLATED, content=PNG):
    with zipfile.ZipFile(folder / "train.zip", "w", method) as file:
        for label in ("cat", "dog"):
            file.writestr(f"{label}/a.png", content)
    return bytearray((folder / "train.zip").read_bytes())


@pytest.mark.parametrize("at", range(0, 46, 2))
def test_a_damaged_zip_raises_its_own_error(tmp_path, at):
    data = archive(tmp_path)
    first = data.index(b"PK\x01\x02")
    for value in (0xFF, 0x7F):
        damaged = data.copy()
        damaged[first + at : first + at + 2] = bytes([value, value])
        (tmp_path / "train.zip").write_bytes(damaged)
        try:
            image_folder(str(tmp_path), "train")[0]
        except DataError as error:
            assert "train.zip" in str(error)


def test_a_zip_unpacks_no_more_than_it_states(tmp_path):
    data = archive(tmp_path, content=bytes(5_000_000))
    for mark, shift in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(mark) + shift
        data[at : at + 4] = struct.pack("<I", 1_000)
    (tmp_path / "train.zip").write_bytes(data)
    with pytest.raises(DataError, match="checksum"):
        ZipMembers(str(tmp_path / "train.zip")).read(0)


def test_a_zip_of_a_file_that_no_image_fills_is_refused(tmp_path):
    data = archive(tmp_path)
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 1 << 30)
    (tmp_path / "train.zip").write_bytes(data)
    with pytest.raises(DataError, match="1,073,741,824 bytes, expected at most"):
        ZipMembers(str(tmp_path / "train.zip"))


def test_links_that_go_round_are_followed_once(tmp_path):
    for label in ("cat", "dog"):
        place(tmp_path / "train" / label / "a.png", PNG)
    for label, name, target in (("cat", "up", ".."), ("cat", "self", "."), ("dog", "self", ".")):
        os.symlink(target, tmp_path / "train" / label / name)
    os.symlink("../dog", tmp_path / "train/cat/other")  # of another class: read once there, too
    assert len(image_folder(str(tmp_path), "train")) == 3
    assert len(pictures(str(tmp_path), "train")) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"imageHeight": 1e300},
        {"imageWidth": 10**6, "imageHeight": 10**6},
        {"shapes": [1]},
        {"shapes": [{"label": "a", "points": [[1e30, 1], [2, 2], [3, 3]]}]},
        {"shapes": [{"label": "a", "points": [[float("nan"), 1], [2, 2], [3, 3]]}]},
        {"shapes": [{"label": "a", "points": [[1, 1]] * 3, "shape_type": "rectangle"}]},
        {"shapes": [{"label": "\ud800", "points": [[1, 1]] * 3}]},
        {"imagePath": None, "shapes": None},
    ],
    ids=str,
)
def test_labelme_raises_its_own_error(tmp_path, fields):
    whole = {"imageHeight": 48, "imageWidth": 64, "imagePath": "a.png", "shapes": []}
    place(tmp_path / "a.json", json.dumps(whole | fields))
    with pytest.raises(DataError, match=r"a\.json"):
        read_labelme(str(tmp_path))
    place(tmp_path / "a.json", DEEP)
    with pytest.raises(DataError, match=r"a\.json"):
        read_labelme(str(tmp_path))


@pytest.mark.parametrize("sizes", [(0, 4, 4), (2, -4, -4), (2, -1, 4), (2, 4, 0)])
def test_idx_files_have_positive_sizes(tmp_path, sizes):
    content = bytes([0, 0, 8, 3]) + struct.pack(">3i", *sizes) + bytes(32)
    place(tmp_path / "train-images-idx3-ubyte", content)
    with pytest.raises(DataError, match="positive sizes"):
        mnist(str(tmp_path), "train")


def test_compressed_files_unpack_no_more_than_they_may_hold(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxvision.data.readers.mnist._LARGEST", 1_000)
    header = bytes([0, 0, 8, 3]) + struct.pack(">3i", 1, 1, 1 << 20)
    place(tmp_path / "train-images-idx3-ubyte.gz", gzip.compress(header + bytes(1 << 20)))
    with pytest.raises(DataError, match="got 985"):
        mnist(str(tmp_path), "train")
    with pytest.raises(DataError, match="30 times"):
        list(read_lines(place(tmp_path / "train.en.gz", gzip.compress(b"x" * (1 << 22)))))
