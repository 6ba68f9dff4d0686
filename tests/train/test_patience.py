import math

from jaxvision.train.experiment import Best
from jaxvision.train.patience import Patience


def test_best_is_the_last_of_equal_evaluations_which_are_no_better():
    patience = Patience(2, Best("val/loss", "min"), {10: {"val/loss": 0.5}, 20: {"val/loss": 0.4}})
    assert (patience.best, patience.best_step) == ({"val/loss": 0.4}, 20)
    patience.update(30, {"val/loss": 0.4})
    assert patience.best_step == 30 and not patience.over
    patience.update(40, {"val/loss": math.nan})
    assert patience.best_step == 30 and patience.over


def test_nothing_is_best_before_the_first_evaluation():
    assert Patience(None, Best("val/loss")).best == {} == Patience(None, None).best
