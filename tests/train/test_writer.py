import json

import numpy as np

from jaxvision.train.progress import Progress, duration
from jaxvision.train.writer import MetricWriter, table


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
    writer.picture(2, "p", np.zeros((4, 4, 3), np.uint8))
    writer.close()
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n{"step": 2, "a": 1.0}\n'


def test_table_has_a_row_a_class():
    text = table({"AP": 0.5, "AP_large": float("nan"), "AP/cat": 0.25, "AP50/cat": 0.75})
    assert [line.split() for line in text.splitlines()] == [
        ["AP", "0.500"],
        ["AP_large", "-"],
        [],
        ["AP", "AP50"],
        ["cat", "0.250", "0.750"],
    ]


def test_duration():
    assert [duration(s) for s in (5, 65, 7205)] == ["0:05", "1:05", "2:00:05"]


def test_progress_prints_plain_lines_where_there_is_no_terminal(tmp_path):
    with (tmp_path / "log").open("w") as stream:
        progress = Progress(0, 10, stream)
        progress.step(1)
        progress.log(1, {"train/loss": 0.12345})
        progress.message("hello")
        progress.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[0].startswith("step 1/10  loss 0.1235")
    assert lines[1] == "hello"
