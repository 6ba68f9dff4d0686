"""`jaxvision predict` on pictures and videos, with a detector that finds what is white."""

import csv
import json

import cv2
import numpy as np
import pytest
from bright import bright

from jaxvision.cli import predict
from jaxvision.cli.main import main
from jaxvision.data.readers.yolo import yolo
from jaxvision.inference.images import batch_rows


def picture(x, y, width=60, height=40):
    image = np.zeros((height, width, 3), np.uint8)
    image[y : y + 10, x : x + 20] = 255
    return image


@pytest.fixture
def photos(tmp_path):
    """Three pictures, and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name, x in (("a.png", 4), ("b.jpg", 20), ("more/a.png", 30)):
        cv2.imwrite(str(folder / name), picture(x, 8))
    (folder / "notes.md").write_text("")
    return folder


@pytest.fixture
def video(tmp_path):
    file = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 12.5, (60, 40))
    for i in range(6):
        writer.write(picture(4 + 2 * i, 8))
    writer.release()
    return file


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the command with a detector in place of a run."""
    detector = bright(batch_size=16)
    monkeypatch.setattr(predict, "load_runs", lambda run, step, *, files: detector)

    def run(*more):
        return main(["predict", "run", *map(str, more), f"--out={tmp_path}/out"])

    run.detector, run.out = detector, tmp_path / "out"
    return run


def test_folder_is_drawn_and_written_in_every_format(run, photos, capsys):
    assert run(photos, "--save=json,csv,yolo,coco") == 0
    written = sorted(str(f.relative_to(run.out)) for f in run.out.rglob("*") if f.is_file())
    assert written == [
        "a.png",
        "a_2.png",
        "b.jpg",
        "classes.txt",
        "coco.json",
        "labels/a.txt",
        "labels/a_2.txt",
        "labels/b.txt",
        "predictions.csv",
        "predictions.json",
    ]
    found = json.loads((run.out / "predictions.json").read_text())
    assert [each["image"] for each in found] == [
        str(photos / name) for name in ("a.png", "b.jpg", "more/a.png")
    ]
    assert [each["objects"][0]["name"] for each in found] == ["blob"] * 3
    box = [4, 8, 24, 18]
    np.testing.assert_allclose(found[0]["objects"][0]["box"], box, atol=1)
    with (run.out / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["name"] == "blob" and float(rows[0]["x2"]) == pytest.approx(24, abs=1)
    coco = json.loads((run.out / "coco.json").read_text())
    assert [each["image_id"] for each in coco] == ["a", "b", "a_2"]
    np.testing.assert_allclose(coco[0]["bbox"], [4, 8, 20, 10], atol=1.5)
    assert coco[0]["category_name"] == "blob" and 0.9 < coco[0]["score"] < 1
    printed = capsys.readouterr()
    assert "a.png: 1 blob" in printed.out
    assert "skipped 1 other files" in printed.err and "3 predicted; blob 3" in printed.err


def test_labels_are_a_dataset_that_can_be_read(run, photos, tmp_path):
    assert run(photos / "a.png", "--save=yolo") == 0
    (run.out / "images").mkdir()
    (run.out / "a.png").rename(run.out / "images" / "a.png")
    objects = yolo(str(run.out), "images/")[0].objects
    height, width = cv2.imread(str(run.out / "images" / "a.png")).shape[:2]
    expected = np.array([4, 8, 24, 18]) * np.array([width / 60, height / 40] * 2)
    np.testing.assert_allclose(objects.boxes, expected[None], atol=width / 60)


def test_bad_file_is_reported_and_the_rest_is_done(run, photos, capsys):
    (photos / "aa.jpg").write_bytes(b"no picture")
    (photos / "z.png").write_bytes(b"")
    assert run(photos, "--save=json") == 1
    found = json.loads((run.out / "predictions.json").read_text())
    assert len(found) == 3
    printed = capsys.readouterr().err
    assert f"error: {photos}/aa.jpg: not a readable image" in printed
    assert "3 predicted, 2 could not be read" in printed


def test_pattern_list_and_gif(run, photos, tmp_path, capsys):
    (tmp_path / "list.txt").write_text(f"photos/b.jpg\n\n{photos}/more/a.png\nphotos/none.png\n")
    cv2.imwrite(str(tmp_path / "c.gif"), picture(4, 8))
    code = run(f"{photos}/*.png", tmp_path / "list.txt", tmp_path / "c.gif", "--no-draw")
    printed = capsys.readouterr()
    assert code == 1
    names = [line.partition(": ")[0].rpartition("/")[2] for line in printed.out.splitlines()]
    assert names == ["a.png", "b.jpg", "a.png", "c.gif"]
    assert "none.png: cannot read the image: No such file" in printed.err
    assert list(run.out.iterdir()) == []


def test_video_keeps_its_rate_and_frames(run, video, capsys):
    assert run(video, "--save=json,coco") == 0
    drawn = cv2.VideoCapture(str(run.out / "clip.mp4"))
    assert drawn.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    found = json.loads((run.out / "predictions.json").read_text())
    assert [each["frame"] for each in found] == list(range(6))
    assert found[5]["seconds"] == pytest.approx(0.4) and found[0]["image"] == str(video)
    assert found[3]["objects"][0]["box"][0] == pytest.approx(10, abs=2)
    coco = json.loads((run.out / "coco.json").read_text())
    assert coco[1]["image_id"] == "clip_000001"


def test_video_that_ends_early(run, video, capsys):
    whole = video.read_bytes()
    # The fourth frame and the index at the end are gone; the header still states six frames.
    fourth = whole.split(b"00dc")[:4]
    video.write_bytes(b"00dc".join(fourth))
    assert run(video, "--save=json") == 1
    printed = capsys.readouterr().err
    assert "clip.avi: the video ends after" in printed
    assert 0 < len(json.loads((run.out / "predictions.json").read_text())) < 6
    assert (run.out / "clip.mp4").exists()
    video.write_bytes(b"no video")
    assert run(video) == 1
    assert "cannot open the video" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("{}/none.jpg",), "expected a picture, a video, a folder"),
        (("{}/*.bmp",), "no file is named like {}/*.bmp"),
        (("{}/empty",), "{}/empty holds no picture (.avif, .bmp,"),
        ((), "expected pictures, videos or folders after the run, got none"),
        (("{}/a.png", "--threshold=1.01"), "--threshold must be in [0, 1], got 1.01"),
        (("{}/a.png", "--iou=-1"), "--iou must be in [0, 1], got -1.0"),
        (("{}/a.png", "--classes=bolb"), "got bolb; did you mean blob?"),
        (("{}/a.png", "--beam=3"), "run holds a detector, which does not take --beam; it takes"),
        (("{}/a.png", "--attention"), "which does not take --attention"),
        (("{}/a.png", "--save=xml"), "--save must be of json, csv, yolo, coco, masks, got xml"),
        (("{}/a.png", "--out={}"), "{}/a.png would be written over"),
    ],
)
def test_wrong_command_is_one_line(run, photos, capsys, more, words):
    (photos / "empty").mkdir()
    more = [each.format(photos) for each in more]
    assert main(["predict", "run", f"--out={run.out}", *more]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1 and words.format(photos) in printed.err


def test_batches_of_a_folder_are_one_program(run, photos):
    for i in range(7):
        cv2.imwrite(str(photos / f"{i}.png"), picture(i, i, width=50 + 8 * i))
    assert run(photos, "--no-draw") == 0
    assert run.detector.task.model.shapes == [(4, 64, 64, 3)]


def test_rows_of_batches():
    assert [batch_rows(count, 16) for count in (1, 2, 4, 5, 16, 100, None)] == [
        *(1, 4, 4, 16, 16, 16, 16)
    ]
    assert batch_rows(100, 6) == 6
