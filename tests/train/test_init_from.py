import numpy as np
import optax
from toy import NormedTask, experiment

from jaxvision.train import loop
from jaxvision.train.experiment import InitFrom


def test_run_starts_from_several_models_and_reads_them_once(tmp_path, capsys):
    plain = experiment(task=NormedTask(), total_steps=2)
    first = loop.run(plain).state
    other = loop.run(experiment(task=NormedTask(), total_steps=2, seed=9)).state
    calls = []

    def read(state):
        calls.append(state)
        return state.variables

    still = dict(total_steps=1, optimizer=optax.sgd(0.0), task=NormedTask())
    wanted = experiment(
        init_from=[
            InitFrom(lambda: read(first), there="backbone", here="backbone"),
            InitFrom(lambda: read(other), there="head", here="head"),
        ],
        **still,
    )
    state = loop.run(wanted, tmp_path).state
    assert capsys.readouterr().out.count("started from other variables: took") == 2
    np.testing.assert_array_equal(
        state.params["backbone"]["dense"]["kernel"], first.params["backbone"]["dense"]["kernel"]
    )
    np.testing.assert_array_equal(
        state.params["head"]["dense"]["kernel"], other.params["head"]["dense"]["kernel"]
    )
    np.testing.assert_array_equal(
        state.ema.params["head"]["dense"]["kernel"], other.params["head"]["dense"]["kernel"]
    )
    loop.run(wanted, tmp_path)
    assert len(calls) == 2
