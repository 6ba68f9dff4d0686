import json

import numpy as np

from jaxvision.train import progress as progress_module
from jaxvision.train.progress import Progress, Speed, duration
from jaxvision.train.writer import MetricWriter, keep_pictures, table


def test_appends_finite_metrics(tmp_path):
    for step in (1, 2):
        writer = MetricWriter(tmp_path)
        writer.write(step, {"train/loss": 0.5, "val/AP_large": float("nan")})
        writer.close()
    lines = [json.loads(x) for x in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [{"step": 1, "train/loss": 0.5}, {"step": 2, "train/loss": 0.5}]
    assert any((tmp_path / "tensorboard").iterdir())


def test_a_torn_last_line_is_cut_off(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2, "tr')
    writer = MetricWriter(tmp_path)
    writer.write(2, {"a": 1.0})
    writer.picture(2, "val/p", np.zeros((4, 4, 3), np.uint8))
    writer.close()
    assert (tmp_path / "plots" / "val_p_00000002.png").is_file()
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n{"step": 2, "a": 1.0}\n'


def test_table_has_a_row_for_each_class():
    metrics = {"AP": 0.5, "AP_large": float("nan"), "AP/cat": 0.25, "AP50/cat": 0.75}
    text = table({f"val/{k}": v for k, v in metrics.items()}, ["val"])
    assert [line.split() for line in text.splitlines()] == [
        ["AP", "0.500"],
        ["AP_large", "-"],
        [],
        ["AP", "AP50"],
        ["cat", "0.250", "0.750"],
    ]


def test_table_has_a_title_for_each_of_several_sets():
    text = table({"val/psnr": 30.0, "val/set5/psnr": 31.0}, ["val", "val/set5", "test"])
    assert [line.split() for line in text.splitlines()] == [
        ["val"],
        ["psnr", "30.000"],
        [],
        ["val/set5"],
        ["psnr", "31.000"],
    ]


def test_duration():
    assert [duration(s) for s in (5, 65, 7205)] == ["0:05", "1:05", "2:00:05"]


def test_progress_prints_plain_lines_where_there_is_no_terminal(tmp_path):
    with (tmp_path / "log").open("w") as stream:
        progress = Progress(10, stream=stream)
        progress(1)
        progress.log(1, "epoch 1/2", {"train/loss": 0.12345, "train/x": 1.0, "val/AP": 0.5})
        progress.message("hello")
        progress.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[0].startswith("epoch 1/2  step 1/10  loss 0.1235  val/AP 0.5  left ")
    assert lines[1] == "hello"


def test_progress_of_other_work_prints_a_line_now_and_then(tmp_path, monkeypatch):
    now = iter([0.0, 10.0, 40.0, 40.0, 40.0])
    monkeypatch.setattr(progress_module.time, "perf_counter", lambda: next(now))
    with (tmp_path / "log").open("w") as stream, Progress(10, "images", stream=stream) as progress:
        progress(1)
        progress(4)
    assert (tmp_path / "log").read_text() == "4/10 images  left 1:00\n"


def test_speed_leaves_pauses_out(monkeypatch):
    now = iter([0.0, 5.0, 6.0])
    monkeypatch.setattr(progress_module.time, "perf_counter", lambda: next(now))
    speed = Speed()
    speed.add(8)
    speed.pause(3.0)
    speed.add(4)
    assert speed.take() == 6.0
    speed.add(2)
    assert speed.take() == 2.0


def test_pictures_of_the_best_and_the_last_evaluation_stay(tmp_path):
    writer = MetricWriter(tmp_path)
    for step in (10, 20, 30):
        writer.picture(step, "val/roc", np.zeros((4, 4, 3), np.uint8))
    writer.close()
    (tmp_path / "plots" / "own.png").touch()
    keep_pictures(tmp_path, {10, 30})
    assert {p.name for p in (tmp_path / "plots").iterdir()} == {
        "val_roc_00000010.png",
        "val_roc_00000030.png",
        "own.png",
    }
