import html.parser
import json

import cv2
import numpy as np
import planted
import pytest
from planted import GOOD, jpeg

from jaxvision.cli.main import main
from jaxvision.cli.training_sheet import training_sheet
from jaxvision.data.readers.yolo import yolo
from jaxvision.data.sources.shapes import Shapes


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """Writes a YOLO set of the given training pictures; its folder is `data`, beside the result."""
    monkeypatch.chdir(tmp_path)

    def dataset(pictures=None) -> str:
        for split, seed in (("train", 0), ("val", 50)):
            clean = [
                picture._replace(objects=(*GOOD, ("bird", (1, 30, 20, 46))))
                for picture in planted.clean(3, seed, split)
            ]
            chosen = clean if pictures is None or split == "val" else [*clean, *pictures]
            planted.write_yolo(tmp_path / "data", split, chosen)
        return "data"

    return dataset


def _run(*flags: str, path="data", train="train") -> int:
    arguments = ["check-data", "--source=yolo", f"--path={path}", f"--train={train}", "--val=val"]
    return main([*arguments, "--image-size=64", "--samples=2", *flags])


def test_a_clean_set(dataset, tmp_path, capsys):
    dataset()
    assert _run() == 0
    printed = capsys.readouterr().out
    assert "nothing found: ready to train" in printed and "check-data/data/report.html" in printed
    folder = tmp_path / "check-data" / "data"
    assert sorted(file.name for file in folder.iterdir()) == [
        "contact_sheet.png",
        "report.html",
        "report.json",
    ]
    sheet = cv2.imread(str(folder / "contact_sheet.png"))
    # Two cells of 480 pixels with a line of text, and what is between them.
    assert sheet.shape == (480 + 28 + 2 * 8, 2 * 480 + 3 * 8, 3)
    assert json.loads((folder / "report.json").read_text())["findings"] == []


def test_warnings_alone_do_not_fail(dataset, capsys):
    dataset([planted.Picture("twice.jpg", jpeg(7), objects=(*GOOD, GOOD[0]))])
    assert _run("--out=out") == 0
    assert "1 warning: ready to train" in capsys.readouterr().out


def test_what_would_stop_training_does_and_is_left_out_of_the_sheet(dataset, tmp_path, capsys):
    dataset([planted.Picture(f"broken{i}.jpg", jpeg(i)[:-300]) for i in range(5)])
    assert _run("--out=out", "--samples=12") == 1
    printed = capsys.readouterr().out
    assert "error: Images that end too early: 5 in train [truncated-image]" in printed
    assert "images/train/broken0.jpg" in printed and "and 2 more" in printed
    assert (tmp_path / "out" / "contact_sheet.png").exists()


def test_a_dataset_without_any_readable_image_has_a_report_without_a_sheet(dataset, tmp_path):
    dataset()
    assert _run("--out=out") == 0 and (tmp_path / "out" / "contact_sheet.png").exists()
    for file in (tmp_path / "data" / "images" / "train").iterdir():
        file.write_bytes(b"")
    assert _run("--out=out") == 1
    assert not (tmp_path / "out" / "contact_sheet.png").exists()
    assert "<img" not in (tmp_path / "out" / "report.html").read_text()


def test_json_has_the_documented_fields(dataset, tmp_path):
    dataset([planted.Picture("broken.jpg", jpeg(1)[:-300])])
    _run("--out=out")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(report) == {
        *("schema", "source", "path", "splits", "image_size", "max_objects", "classes"),
        *("trainable", "findings", "statistics"),
    }
    assert report["schema"] == 1 and report["trainable"] is False
    assert report["splits"] == {"train": "train", "val": "val"}
    (finding,) = report["findings"]
    assert set(finding) == {*("severity", "code", "split", "count", "title", "advice", "examples")}
    assert (finding["severity"], finding["code"], finding["count"]) == (
        "error",
        "truncated-image",
        1,
    )
    (example,) = finding["examples"]
    assert example["file"] == "images/train/broken.jpg" and "truncated" in example["detail"]
    train = report["statistics"]["train"]
    assert train["images"] == 4 and train["classes"][0] == {
        "name": "cat",
        "objects": 4,
        "images": 4,
        "share": pytest.approx(4 / 11),
    }
    assert train["side_bins"][0] == {"low": 0, "high": 2, "count": 0}


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str | None] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_escapes_what_comes_from_the_data(dataset, tmp_path):
    path = dataset([planted.Picture("<b>&.jpg", b"GARBAGE")])
    names = "names: ['<script>alert(1)</script>', dog, '\"><img src=x>']\n"
    (tmp_path / path / "data.yaml").write_text(names)
    assert _run("--out=out") == 1
    page = (tmp_path / "out" / "report.html").read_text()
    parser = _Tags()
    parser.feed(page)
    assert not parser.open and "script" not in parser.tags and "b" not in parser.tags
    assert parser.tags.count("img") == 1
    assert set(parser.addresses) == {"contact_sheet.png"}
    assert "&lt;script&gt;" in page and "&lt;b&gt;&amp;.jpg" in page


def test_nothing_is_written_where_out_cannot_be(dataset, tmp_path, capsys):
    dataset()
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for out in ("file", "file/below"):
        assert _run(f"--out={out}") == 2
        assert capsys.readouterr().err.startswith("error: --out must be a folder")
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--path=nowhere", "nowhere"),
        ("--source=imagenet", "imagenet"),
        ("--source=shapes", "shapes"),
        ("--classes=cat,cat", "--classes"),
        ("--image-size=100", "multiple of 32"),
        ("--workers=0", "--workers"),
    ],
)
def test_a_wrong_command_line_is_told_in_a_line(dataset, tmp_path, capsys, flag, words):
    dataset()
    before = sorted(tmp_path.rglob("*"))
    assert _run(flag) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and words in error and error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_flag_is_a_wrong_command_line(capsys):
    with pytest.raises(SystemExit) as error:
        main(["check-data", "--source=voc"])
    assert error.value.code == 2 and "--path" in capsys.readouterr().err


def test_a_split_that_is_not_there_is_reported(dataset, tmp_path):
    dataset()
    assert _run("--out=out", train="trian") == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["findings"][0]["code"] == "unreadable-split"


def test_control_c_is_130(dataset, monkeypatch):
    dataset()

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxvision.cli.check_data.check_dataset", interrupted)
    assert _run() == 130


def test_sheet_depends_on_the_seed_alone():
    source = Shapes(4, image_size=64)

    def sheet(seed: int) -> np.ndarray:
        return training_sheet(source, samples=5, image_size=64, max_objects=9, seed=seed)

    first = sheet(0)
    np.testing.assert_array_equal(first, sheet(0))
    assert (first != sheet(1)).any()


def test_sheet_shows_plain_images_as_they_are(dataset, tmp_path):
    dataset()
    source = yolo(str(tmp_path / "data"), "train")
    sheet = training_sheet(source, samples=1, image_size=64, max_objects=9, seed=0)
    names = [source.name(i) for i in range(3)]
    images = [cv2.resize(cv2.imread(name), (480, 360))[..., ::-1] for name in names]
    shown = sheet[8 : 8 + 360, 8 : 8 + 480].astype(int)
    # Most of one of them is not under a box's line or a label.
    assert min(np.median(abs(shown - image)) for image in images) <= 3


def test_folders_of_classes_have_a_page_and_a_sheet(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for split in ("train", "val"):
        for k, name in enumerate(("cat", "dog")):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for i in range(3):
                (folder / f"{split}{i}.jpg").write_bytes(jpeg(100 * k + i + 10 * len(split)))
    assert main(["check-data", "--source=folder", "--path=data", "--samples=4"]) == 0
    printed = capsys.readouterr().out
    assert "Classes of fewer than 10 training images: 2 in train [few-images]" in printed
    out = tmp_path / "check-data" / "data"
    sheet = cv2.imread(str(out / "contact_sheet.png"))
    assert sheet.shape == (240 + 28 + 2 * 8, 4 * 240 + 5 * 8, 3)
    report = json.loads((out / "report.json").read_text())
    assert report["splits"] == {"train": "train", "val": "val"} and report["trainable"]
    (tmp_path / "data/train/cat/train0.jpg").write_bytes(b"")
    assert main(["check-data", "--source=image_folder", "--path=data", "--samples=0"]) == 1
    assert not (out / "contact_sheet.png").exists()


def test_text_has_a_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("train.en", "train.fr", "test.en", "test.fr"):
        (tmp_path / "data" / name).write_text(f"a {name} sentence\n")
    flags = ["check-data", "--source=text", "--path=data"]
    assert main([*flags, "--languages=en,fr"]) == 0
    assert sorted(file.name for file in (tmp_path / "check-data/data").iterdir()) == [
        "report.html",
        "report.json",
    ]
    assert main(flags) == 1
    assert "train.de does not exist" in capsys.readouterr().out.replace("data/", "")
    assert main([*flags, "--languages=en"]) == 2
    assert "--languages must be two, as en,de, got en" in capsys.readouterr().err
    assert main(["check-data", "--source=yolo", "--path=data"]) == 2
    assert "--train must name the split" in capsys.readouterr().err
