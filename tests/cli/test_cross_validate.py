"""One command trains on every fold and gives the mean."""

import json
import pathlib

import pytest

from jaxvision.cli import cross_validate, train
from jaxvision.cli.main import main


def test_every_fold_is_trained_and_their_mean_printed(tmp_path, monkeypatch, capsys):
    seen = []

    def trained(arguments):
        seen.append(arguments)
        (workdir,) = (a.partition("=")[2] for a in arguments if a.startswith("--workdir"))
        folder = pathlib.Path(workdir)
        folder.mkdir(parents=True)
        lines = [{"step": 1, "val/accuracy": 0.1}, {"step": 2, "train/loss": 1.0}]
        lines.append({"step": 2, "val/accuracy": 0.5 + 0.1 * len(seen), "val/f1/cat": 0.2})
        (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
        return 0

    monkeypatch.setattr(train, "main", trained)
    flags = ["--config=x.py:a", "--folds", "3", f"--workdir={tmp_path}", "--config.epochs=2"]
    assert main(["cross-validate", *flags]) == 0
    assert [a[1:4] for a in seen] == [
        ["--config=x.py:a", "--config.epochs=2", f"--config.data.fold={k}/3"] for k in (1, 2, 3)
    ]
    assert "val/accuracy: 0.7000 ± 0.1000 (0.6000 0.7000 0.8000)" in capsys.readouterr().out
    found = json.loads((tmp_path / "folds.json").read_text())
    assert found["summary"]["val/accuracy"]["mean"] == pytest.approx(0.7)
    assert list(found["summary"]) == ["val/accuracy"]


def test_a_fold_that_ends_early_ends_all(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "main", lambda arguments: 130)
    assert main(["cross-validate", "--config=x.py", f"--workdir={tmp_path}"]) == 130


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--folds=1"], "--folds must be a number from 2 to 1000, got 1"),
        (["--folds=nan"], "--folds must be a number from 2 to 1000, got nan"),
        (["--config.data.fold=1/2"], "--config.data.fold is set by cross-validate"),
    ],
)
def test_wrong_flags(flags, message, capsys):
    assert cross_validate.main(["x", "--config=x.py", *flags]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_digits_by_command(tmp_path, capsys):
    flags = ["--config=lenet_mnist:modern", "--config.data.train_images=96", "--config.epochs=1"]
    flags += ["--config.batch_size=16", f"--workdir={tmp_path}", "--folds=2"]
    assert main(["cross-validate", *flags]) == 0
    assert "val/accuracy: " in capsys.readouterr().out
