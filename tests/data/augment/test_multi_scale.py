import collections

import pytest

from jaxvision.data.augment.multi_scale import MultiScale

SIZES = (320, 384, 448)


def test_a_size_lasts_ten_steps_and_each_is_as_likely():
    side_at = MultiScale(SIZES)
    counts = collections.Counter()
    for start in range(0, 30_000, 10):
        sides = {side_at(step) for step in range(start, start + 10)}
        assert len(sides) == 1
        counts.update(sides)
    # A standard deviation of 3,000 draws is 26.
    assert set(counts) == set(SIZES) and all(abs(n - 1000) < 110 for n in counts.values())


def test_sizes_depend_on_the_seed_and_on_the_step_alone():
    forward = [MultiScale(SIZES, seed=3)(step) for step in range(400)]
    backward = [MultiScale(SIZES, seed=3)(step) for step in reversed(range(400))]
    assert forward == backward[::-1]
    assert forward != [MultiScale(SIZES, seed=4)(step) for step in range(400)]


def test_one_size():
    assert {MultiScale((64,))(step) for step in range(50)} == {64}


@pytest.mark.parametrize("options", [{"sizes": ()}, {"sizes": (0,)}, {"sizes": (32,), "every": 0}])
def test_bad_numbers(options):
    with pytest.raises(ValueError, match="must be"):
        MultiScale(**options)
