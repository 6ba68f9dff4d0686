import pytest
from toy import experiment

from jaxvision.train import loop, step_folders
from jaxvision.train.errors import TrainingError
from jaxvision.train.saved import read_checkpoint, read_meta


@pytest.mark.parametrize(("layout", "age"), [(1, "a newer"), (3, "an older")])
def test_another_layout_is_said_in_one_line(tmp_path, monkeypatch, layout, age):
    loop.run(experiment(total_steps=4), tmp_path)
    monkeypatch.setattr(step_folders, "LAYOUT", layout)
    message = f"4 was written by {age} version of jaxvision .layout 2, this version reads {layout}."
    for read, kind in (
        (lambda: loop.run(experiment(), tmp_path), TrainingError),
        (lambda: read_checkpoint(tmp_path), ValueError),
        (lambda: read_meta(tmp_path), ValueError),
    ):
        with pytest.raises(kind, match=message) as error:
            read()
        assert len(str(error.value).splitlines()) == 1
    assert (tmp_path / "checkpoints" / "4").is_dir()


def test_step_that_is_not_there_is_an_error_that_lists_those_that_are(tmp_path):
    loop.run(experiment(total_steps=4), tmp_path)
    with pytest.raises(ValueError, match="step must be one of 4, the checkpoints there are, got 3"):
        read_checkpoint(tmp_path, 3)
    with pytest.raises(FileNotFoundError, match="holds no checkpoints; expected the work dir"):
        read_meta(tmp_path / "other")
