"""Files of a run that are damaged, missing or cannot be written."""

import errno
import json
import logging
import shutil

import jax
import numpy as np
import pytest
from toy import KilledError, equal, experiment, killed_at

from jaxvision.train import loop, manifest, sharding, step_folders
from jaxvision.train.checkpoint import Checkpoints
from jaxvision.train.errors import TrainingError
from jaxvision.train.saved import read_checkpoint, read_meta
from jaxvision.train.state import create_state

BEST = experiment().best
FLIPS = 200


@pytest.fixture(scope="module")
def states():
    """States of two steps."""
    plain = experiment()
    first = create_state(plain, next(plain.train_data.batches(0)), sharding.data_mesh(1))
    return first, first.replace(
        step=first.step + 4, params=jax.tree.map(lambda x: x + 1, first.params)
    )


@pytest.fixture(scope="module")
def saved(states, tmp_path_factory):
    """A run with checkpoints of steps 0 and 4, of which the first is the best."""
    workdir = tmp_path_factory.mktemp("saved")
    checkpoints = Checkpoints(workdir / "checkpoints", meta={"info": {}}, best=BEST)
    for state, score in zip(states, (2.0, 1.0), strict=True):
        checkpoints.save(state, {"val/score": score})
    checkpoints.close()
    return workdir


@pytest.fixture
def run(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "run")


def restored(workdir, like):
    checkpoints = Checkpoints(workdir / "checkpoints", meta={}, best=BEST)
    try:
        return checkpoints.restore(like)
    finally:
        checkpoints.close()


def test_every_flipped_bit_is_noticed_or_harmless(run, states, tmp_path):
    rng = np.random.default_rng(0)
    newest = run / "checkpoints/4"
    files = sorted(p for p in newest.rglob("*") if p.is_file())
    sizes = np.array([p.stat().st_size for p in files])
    noticed = 0
    for i in range(FLIPS):
        # Each file is hit, and then large ones more often.
        file = files[i if i < len(files) else rng.choice(len(files), p=sizes / sizes.sum())]
        before = file.read_bytes()
        content = bytearray(before)
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        file.write_bytes(content)
        try:
            step_folders.check(newest)
        except manifest.DamagedError as error:
            noticed += 1
            assert str(file) in str(error) or file.name in (manifest.NAME, "metadata")
        else:
            other = shutil.copytree(run, tmp_path / str(i))
            assert equal(restored(other, states[1]), states[1]), file
            assert equal(read_checkpoint(other, 4)[0]["params"], states[1].ema.params), file
        file.write_bytes(before)
    # What is harmless are orbax's notes beside the folders, and spaces of the manifest.
    assert noticed > 0.8 * FLIPS


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def test_a_flipped_bit_of_an_array_falls_back_and_names_the_file(run, states, caplog):
    file = max((run / "checkpoints/4/state").glob("*/d/*"), key=lambda p: p.stat().st_size)
    flip(file)
    with pytest.raises(ValueError, match="of step 4 cannot be read, .*its content is not what"):
        read_checkpoint(run, 4)
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert equal(restored(run, states[0]), states[0])
    assert f"checkpoint 4 cannot be read ({file}: its content is not what was written" in (
        caplog.text
    )
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"0", "4.unreadable"}


@pytest.mark.parametrize("name", ["metrics/metrics", "meta/metadata", "manifest.json"])
@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b""), flip], ids=["empty", "bit"])
def test_a_damaged_small_file_moves_its_step_aside(run, states, name, damage):
    damage(run / "checkpoints/4" / name)
    # The best of those that are whole.
    assert read_meta(run)[0] == 0
    with pytest.raises(ValueError, match="checkpoint of step 4 cannot be read") as error:
        read_checkpoint(run, 4)
    assert "\n" not in str(error.value)
    assert equal(restored(run, states[0]), states[0])
    assert equal(restored(run, states[0]), states[0])
    assert (run / "checkpoints/4.unreadable").is_dir()


def test_a_step_that_is_partly_there_is_not_the_end_of_a_run(run, states, capsys):
    for step, parts in ((20, ("meta",)), (24, ("meta", "state")), (99, ())):
        (run / f"checkpoints/{step}").mkdir()
        for part in parts:
            shutil.copytree(run / "checkpoints/4" / part, run / f"checkpoints/{step}/{part}")
    (run / "checkpoints/24/manifest.json").unlink(missing_ok=True)
    shutil.copytree(run / "checkpoints/4", run / "checkpoints/12.orbax-checkpoint-tmp")
    assert equal(restored(run, states[1]), states[1])
    kept = {p.name for p in (run / "checkpoints").iterdir()}
    assert kept == {"0", "4", "20.unreadable", "24.unreadable", "99.unreadable"}


def test_without_a_readable_checkpoint_a_run_stops_and_stays_stopped(run, states):
    for step in (0, 4):
        (run / f"checkpoints/{step}/meta/metadata").write_text("{")
    with pytest.raises(ValueError, match="checkpoint of step 4 cannot be read"):
        read_meta(run)
    for _ in range(2):
        with pytest.raises(
            TrainingError, match="none of .* can be read: 0.unreadable, 4.un"
        ) as error:
            restored(run, states[0])
        assert "start anew: with another --workdir" in str(error.value)
        assert "\n" not in str(error.value)


def test_checkpoints_of_older_versions_have_no_manifest_and_are_read(run, states):
    for step in (0, 4):
        folder = run / f"checkpoints/{step}"
        (folder / "manifest.json").unlink()
        meta = json.loads((folder / "meta/metadata").read_text())
        del meta[step_folders.DIGESTS]
        (folder / "meta/metadata").write_text(json.dumps(meta))
    assert equal(restored(run, states[1]), states[1])
    assert read_meta(run)[0] == 0


def no_space(*arguments, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("late", [False, True], ids=["at once", "in the thread that writes"])
def test_a_save_that_fails_is_one_error_and_older_steps_stay(run, states, monkeypatch, capfd, late):
    checkpoints = Checkpoints(run / "checkpoints", meta={}, best=BEST)
    if late:
        monkeypatch.setattr(manifest, "write", no_space)
    else:
        monkeypatch.setattr(checkpoints._manager, "save", no_space)
    with pytest.raises(TrainingError, match="of step 8 cannot be written .*No space left") as error:
        checkpoints.save(states[1].replace(step=states[1].step + 4))
        checkpoints.close()
    checkpoints.close()  # once is enough
    assert "\n" not in str(error.value) and "Traceback" not in "".join(capfd.readouterr())
    monkeypatch.undo()
    assert equal(restored(run, states[1]), states[1])
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"0", "4"}


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(TrainingError, match="expected a folder of checkpoints, got the file"):
        loop.run(experiment(), tmp_path)


def test_what_a_killed_run_continues_from_has_digests(tmp_path):
    with pytest.raises(KilledError):
        loop.run(killed_at(experiment(), 9), tmp_path)
    for step in step_folders.steps(tmp_path / "checkpoints"):
        manifest.check(tmp_path / "checkpoints" / str(step))


def test_what_fails_without_damage_is_an_error_and_moves_nothing(run, states, monkeypatch):
    checkpoints = Checkpoints(run / "checkpoints", meta={}, best=BEST)
    monkeypatch.setattr(checkpoints, "_restore", no_space)
    with pytest.raises(TrainingError, match="4 cannot be restored, though its files are as they"):
        checkpoints.restore(states[0])
    checkpoints.close()
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"0", "4"}


def test_parts_that_older_states_do_not_have_are_not_saved(run, states):
    names = {p.name for p in (run / "checkpoints/4/state").rglob("*")}
    assert names and "loss_mean" not in (run / "checkpoints/4/state/_METADATA").read_text()
