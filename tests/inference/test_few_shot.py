"""Classes by a few labelled images, pairs, and the evaluation over episodes of several sizes."""

import json

import cv2
import numpy as np
import pytest
from grid import EPISODE, LEFT, RIGHT, model, picture

from jaxvision.cli import main
from jaxvision.data.errors import DataError
from jaxvision.data.plans.episodes import Episode, Episodes, EpisodesOfSizes
from jaxvision.data.readers.omniglot import WhiteOnBlack
from jaxvision.data.sample import Sample
from jaxvision.metrics.few_shot import AccuracyBySize
from jaxvision.recipes import few_shot
from jaxvision.train import loop


def test_class_is_that_of_the_nearest_mean():
    supports = {"left": [LEFT, picture(255, 0, 0, 0)], "right": [RIGHT]}
    trained = model().replaced(support=supports)
    found = trained([picture(0, 200, 0, 200), LEFT])
    assert [one.name for one in found] == ["right", "left"]
    # Squared distances to the means of three times the brightness.
    query, means = np.array([0, 1, 0, 1]) * 200 / 255, np.array([[1, 0, 0.5, 0], [0, 1, 0, 1]])
    scores = -np.square(3 * (query - means)).sum(1)
    expected = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(found[0].probabilities, expected, rtol=1e-4)
    np.testing.assert_allclose(trained.embed(LEFT), [3, 0, 3, 0], rtol=1e-6)
    assert trained.embed([LEFT, RIGHT]).shape == (2, 4)


@pytest.mark.parametrize("loss", ["batch_hard", "contrastive"])
def test_one_near_support_decides_where_the_loss_compares_pairs(loss):
    supports = {"left": [picture(255, 255, 0, 0), LEFT, LEFT], "right": [RIGHT]}
    found = model(loss).replaced(support=supports)(picture(250, 240, 0, 0))
    assert found.name == "left"


def test_supports_are_read_from_folders(tmp_path):
    for name, image in (("a", LEFT), ("b", RIGHT)):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "0.png"), image)
    trained = model().replaced(support=tmp_path)
    assert trained(RIGHT).name == "b" and trained.class_names == ("a", "b")
    (tmp_path / "c").mkdir()
    with pytest.raises(ValueError, match="c holds no image"):
        model().replaced(support=tmp_path)


def test_pair_of_one_class_is_more_similar():
    same, other = model().verify(LEFT, picture(200, 0, 250, 0)), model().verify(LEFT, RIGHT)
    assert same.value > 0.99 and other.value == pytest.approx(0, abs=1e-6)
    assert same.kind == "cosine" and json.loads(same.to_json())["similarity"] == same.value
    assert same.plot().shape[1] > 2 * 196


def test_wrong_supports_are_refused(tmp_path):
    with pytest.raises(ValueError, match="give support, a folder"):
        model()(LEFT)
    with pytest.raises(ValueError, match="two classes or more, got 1"):
        model().replaced(support={"a": [LEFT]})
    with pytest.raises(ValueError, match="no image of the class b"):
        model().replaced(support={"a": [LEFT], "b": []})
    with pytest.raises(ValueError, match="as many images of each class, got from 1 to 2"):
        model("matching").replaced(support={"a": [LEFT], "b": [LEFT, RIGHT]})
    with pytest.raises(DataError, match="expected a folder with a folder of images"):
        model().replaced(support=tmp_path / "none")


def test_omniglot_is_shown_white_on_black():
    paper = np.full((8, 8, 3), 255, np.uint8)
    paper[:4, :4] = 0
    shown = WhiteOnBlack(2)(Sample(paper, 0), np.random.default_rng(0)).image
    assert shown[..., 0].tolist() == [[255, 0], [0, 0]] and shown.shape == (2, 2, 3)


def test_sizes_draw_what_each_draws_alone():
    labels = np.repeat(np.arange(4), 5)
    plans = [Episodes(labels, size, 3, 1) for size in (EPISODE, Episode(3, 2, 1))]
    found = EpisodesOfSizes(plans)(0, np.random.default_rng(5))
    assert [len(batch) for batch in found] == [4, 4, 4, 9, 9, 9]
    for plan, part in zip(plans, (found[:3], found[3:]), strict=True):
        np.testing.assert_array_equal(plan(0, np.random.default_rng(5)), part)


def test_accuracies_of_sizes_do_not_mix():
    metric = AccuracyBySize.empty()
    for size, rates in (("a", [1.0, 0.5]), ("b", [0.1, 0.3]), ("a", [0.0])):
        metric = metric.merge(AccuracyBySize.from_model_output(size=size, accuracies=rates))
    found = metric.compute()
    assert (found["a_accuracy"], found["b_accuracy"]) == (pytest.approx(0.5), pytest.approx(0.2))
    assert set(found) == {"a_accuracy", "a_interval", "b_accuracy", "b_interval"}


@pytest.mark.slow
def test_run_is_evaluated_and_predicts_by_commands(tmp_path, capsys):
    config = few_shot.defaults()
    config.update(epochs=1, num_workers=0, batch_size=8)
    config.data.update(train_characters=10, val_characters=5)
    config.episode.update(way=5, query=2, steps=3)
    config.eval.update(way=(5, 5), shot=(1, 2), query=2, episodes=6)
    loop.run(few_shot.experiment(config), tmp_path / "run")
    recorded = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    run = str(tmp_path / "run")
    assert main.main(["evaluate", run]) == 0
    found = json.loads((tmp_path / "run" / "evaluation" / "val" / "report.json").read_text())
    for size in ("5way_1shot", "5way_2shot"):
        measured = found["metrics"][f"{size}_accuracy"]
        assert measured == pytest.approx(recorded[f"val/{size}/accuracy"], abs=1e-6)

    source = few_shot.open_split(config, "val")
    files = []
    for i in (0, 1, 20, 21):
        folder = tmp_path / ("known" if i % 2 == 0 else "new") / f"letter{i // 20}"
        folder.mkdir(parents=True)
        files.append(str(folder / f"{i}.png"))
        cv2.imwrite(files[-1], source[i].image)
    out = ["--out", str(tmp_path / "out"), "--save", "json"]
    support = ["--support", str(tmp_path / "known")]
    assert main.main(["predict", run, str(tmp_path / "new"), *support, *out]) == 0
    assert len(json.loads((tmp_path / "out" / "predictions.json").read_text())) == 2
    assert main.main(["predict", run, *files, "--verify", *out]) == 0
    assert len(json.loads((tmp_path / "out" / "predictions.json").read_text())) == 2
    assert "cosine" in capsys.readouterr().out
    assert main.main(["predict", run, files[0], "--verify", *out]) == 2
    assert main.main(["predict", run, files[0], *out]) == 2
    assert "give support" in capsys.readouterr().err
