import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.recipes import translation, values


@pytest.fixture
def folder(tmp_path):
    """Twelve pairs of sentences in three splits, of different lengths."""
    for split in ("train", "val", "third"):
        for language, sentence in (("en", "two dogs run"), ("de", "zwei Hunde rennen")):
            text = "".join(f"{sentence} {'.' * n}\n" for n in range(12))
            (tmp_path / f"{split}.{language}").write_text(text)
    return tmp_path


def small(folder, **changes):
    """A network of one layer on few pairs; names with two underscores for a dot."""
    config = translation.defaults()
    config.update(variant="transformer_tiny", batch_tokens=512, epochs=20, num_workers=0)
    config.model.update(num_layers=(1, 1))
    config.data.update(path=str(folder), vocabulary_size=280)
    for name, value in changes.items():
        group, _, last = name.rpartition("__")
        (config[group] if group else config)[last] = value
    return config


def same_task(one, two):
    fields = ("model", "label_smoothing", "beam_size", "alpha", "extra_length")
    return one.tokenizer.json() == two.tokenizer.json() and all(
        getattr(one, name) == getattr(two, name) for name in fields
    )


def test_json_of_config_and_info_gives_the_same_task(capsys, folder):
    experiment = translation.experiment(small(folder))
    meta = json.loads(json.dumps(dict(experiment.meta)))
    assert same_task(
        translation.task(values.restored(meta["config"]), meta["info"]), experiment.task
    )
    # Other data does not change the vocabulary of a run that continues.
    for file in folder.glob("train.*"):
        file.write_text(file.read_text() + "yellow\n" * 9)
    assert same_task(translation.experiment(small(folder), meta["info"]).task, experiment.task)
    assert not same_task(translation.experiment(small(folder)).task, experiment.task)
    assert "BLEU: nrefs:1|case:mixed" in capsys.readouterr().out


def test_evaluation_opens_its_split_alone(capsys, folder, monkeypatch):
    config = small(folder, data__test="third", eval__batch_size=4)
    experiment = translation.experiment(config)
    assert experiment.eval_data["test"].at_end and not experiment.eval_data["val"].at_end
    opened = []
    original = translation.translation_source

    def source(kind, path, split, **options):
        opened.append(split)
        return original(kind, path, split, **options)

    monkeypatch.setattr(translation, "translation_source", source)
    batches = list(translation.eval_data(config, experiment.meta["info"], "test"))
    assert opened == ["third"]
    for one, two in zip(experiment.eval_data["test"].data, batches, strict=True):
        assert one["truth"] == two["truth"]
        np.testing.assert_array_equal(one["source"], two["source"])
    with pytest.raises(ValueError, match="split must be train, val or test, got dev"):
        translation.eval_data(config, experiment.meta["info"], "dev")
    with pytest.raises(ValueError, match="data.test must name a split"):
        translation.eval_data(small(folder), experiment.meta["info"], "test")


def test_values_reach_model_data_and_search(capsys, folder):
    config = small(
        folder,
        data__from_language="de",
        data__to_language="en",
        data__max_length=9,
        eval__beam_size=7,
        eval__alpha=0.9,
        eval__extra_length=5,
        loss__label_smoothing=0.2,
        ema__tail=0.25,
        optimizer__learning_rate=2.0,
        schedule__warmup_steps=4,
    )
    config.model.update(attention_dropout_rate=0.25, activation_dropout_rate=0.5)
    config.model.update(dropout_rate=0.3, pre_norm=True, positions="learned")
    experiment = translation.experiment(config)
    task, model = experiment.task, experiment.task.model
    assert (model.attention_dropout_rate, model.activation_dropout_rate) == (0.25, 0.5)
    assert (model.pre_norm, model.positions, model.dropout_rate) == (True, "learned", 0.3)
    assert (task.beam_size, task.alpha, task.extra_length) == (7, 0.9, 5)
    assert (task.label_smoothing, model.max_length) == (0.2, 23)
    assert "two dogs run" in next(iter(experiment.eval_data["val"].data))["truth"]
    assert 0 < experiment.train_data.plan.limited.too_long < 12
    steps = 20 * experiment.train_data.steps_per_epoch
    assert experiment.total_steps == steps
    averaged = [float(experiment.ema(jnp.int32(0.75 * steps + n))) for n in (0, 1)]
    assert averaged == [0.0, 0.5]
    peak = 2.0 * (model.features * 4) ** -0.5
    assert float(experiment.learning_rate(3)) == pytest.approx(peak)


def test_packing_cutting_and_dropping(capsys, folder):
    file = folder / "train.de"
    file.write_text(file.read_text().replace("zwei Hunde rennen ...\n", "\n"))
    config = small(folder, data__max_length=9, data__packing=True)
    with pytest.raises(ValueError, match=r"train\.de:4: expected a sentence"):
        translation.experiment(config)
    config.data.update(empty_lines="drop", long_sentences="cut")
    train = translation.experiment(config).train_data
    output = capsys.readouterr().out
    assert "train.de:4" in output and "pairs cut, too long" in output
    batch = next(train.batches(0))
    assert batch["source_segments"].shape == batch["source"].shape == (56, 9)
    assert (batch["index"] >= 0).sum() == 11
    config.data.long_sentences = "error"
    with pytest.raises(ValueError, match=r"train\.en:\d+: expected at most max_length 9 tokens"):
        translation.experiment(config)
    config.data.empty_lines = "skip"
    with pytest.raises(ValueError, match="data.empty_lines must be error or drop, got skip"):
        translation.experiment(config)


def test_vocabulary_of_another_run(capsys, folder, tmp_path):
    experiment = translation.experiment(small(folder))
    file = tmp_path / "tokenizer.json"
    file.write_text(experiment.meta["info"]["tokenizer"])
    config = small(folder, data__tokenizer=str(file), data__vocabulary_size=10_000)
    assert translation.experiment(config).meta["info"] == experiment.meta["info"]
    config.data.tokenizer = str(tmp_path / "none.json")
    with pytest.raises(ValueError, match="cannot read the tokenizer"):
        translation.experiment(config)
    config.data.tokenizer = str(tmp_path)
    with pytest.raises((OSError, ValueError), match="holds no checkpoints"):
        translation.experiment(config)
