import json

import pytest

from jaxvision.train import workdir
from jaxvision.train.errors import TrainingError

CONFIG = {
    "epochs": 3,
    "batch_tokens": 64,
    "variant": "nano",
    "data": {"path": "a", "train": "train"},
}
FREE = ("epochs", "batch_tokens", "sharding", "remat", "data.path", "eval")
COMMAND = ["train.py", "--config=some.py"]


@pytest.fixture
def start(tmp_path):
    file = tmp_path / "some.py"
    file.write_text("# config")

    def start(config=CONFIG, folder="run"):
        path = tmp_path / folder
        workdir.prepare(path, config, free=FREE, config_file=file, command=COMMAND)
        return path

    return start


def test_new_folder_gets_config_file_and_command(start):
    path = start()
    assert json.loads((path / "config.json").read_text()) == CONFIG
    assert (path / "some.py").read_text() == "# config"
    assert (path / "command.txt").read_text().count("train.py --config=some.py") == 1


def test_the_same_config_continues(start):
    path = start()
    start()
    names = [".lock", "command.txt", "config.json", "some.py"]
    assert sorted(p.name for p in path.iterdir()) == names
    assert len((path / "command.txt").read_text().splitlines()) == 2


def test_changes_that_are_free_stand_beside_the_old_config(start):
    path = start()
    start({**CONFIG, "epochs": 5})
    start({**CONFIG, "epochs": 5, "batch_tokens": 32, "data": {"path": "b", "train": "train"}})
    assert json.loads((path / "config.json").read_text()) == CONFIG
    assert json.loads((path / "config.2.json").read_text())["epochs"] == 5
    assert json.loads((path / "config.3.json").read_text())["data"]["path"] == "b"
    assert json.loads((path / "config.3.json").read_text())["batch_tokens"] == 32


def test_values_that_are_new_may_be_free_and_so_may_groups(start):
    start()
    start({**CONFIG, "eval": {"beam_size": 3}})
    path = start({**CONFIG, "eval": {"beam_size": 4}})
    assert json.loads((path / "config.3.json").read_text())["eval"] == {"beam_size": 4}


def test_how_a_run_lies_in_memory_may_be_free(start):
    start()
    start({**CONFIG, "sharding": "replicated", "remat": False})
    path = start({**CONFIG, "sharding": "fsdp", "remat": True})
    assert json.loads((path / "config.3.json").read_text())["sharding"] == "fsdp"


@pytest.mark.parametrize("left", ["checkpoints", "checkpoints/3.orbax-checkpoint-tmp"])
def test_another_config_begins_where_no_checkpoint_was_written(start, left):
    path = start()
    (path / left).mkdir(parents=True)
    start({**CONFIG, "variant": "tiny"})
    assert workdir.read_config(path)["variant"] == "tiny"


@pytest.mark.parametrize("left", ["3", "3.unreadable"])
def test_another_config_is_an_error_that_names_the_differences(start, left):
    path = start()
    (path / "checkpoints" / left).mkdir(parents=True)
    other = {**CONFIG, "variant": "tiny", "data": {"path": "a", "train": "trainval"}}
    with pytest.raises(TrainingError) as error:
        start(other)
    message = str(error.value)
    assert str(path) in message
    assert "variant: 'nano' there, 'tiny' now" in message
    assert "data.train: 'train' there, 'trainval' now" in message
    assert json.loads((path / "config.json").read_text()) == CONFIG


def test_a_folder_of_something_else_is_left_alone(start, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    with pytest.raises(TrainingError, match="not empty and holds no config.json"):
        start()
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["thesis.tex"]


def test_a_damaged_config_is_an_error(start):
    path = start()
    (path / "config.json").write_text("{")
    with pytest.raises(TrainingError, match="config.json is not valid JSON"):
        start()
