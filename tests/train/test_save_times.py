import itertools

from toy import experiment

from jaxvision.train import loop, sharding, step_folders
from jaxvision.train.save_times import SaveTimes


def test_saves_after_so_many_steps_and_at_the_latest_after_so_many_minutes():
    seconds = itertools.count(0, 25)  # of the start, and of each time the clock is read
    is_due = SaveTimes(5, 1.5, sharding.data_mesh(1), clock=lambda: next(seconds))
    # A step takes 25 s; saving reads the clock once more.
    assert [step for step in range(1, 15) if is_due(step)] == [4, 5, 9, 10, 14]
    is_due = SaveTimes(5, 0.0, sharding.data_mesh(1), clock=lambda: next(seconds))
    assert [step for step in range(1, 15) if is_due(step)] == [5, 10]


def test_a_run_saves_after_minutes(tmp_path):
    loop.run(experiment(total_steps=4, save_every=1000, save_minutes=1e-9), tmp_path)
    assert step_folders.steps(tmp_path / "checkpoints") == [3, 4]
