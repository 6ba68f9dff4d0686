import itertools

import numpy as np
import pytest

from jaxvision.data.text.shapes import Shape, assign, choose_shapes

RNG = np.random.default_rng(0)
# As those of short sentences are: the longer the source, the longer the target.
SOURCE = 2 + RNG.poisson(10, 700)
LENGTHS = np.stack([SOURCE, np.maximum(2, SOURCE + RNG.integers(-3, 4, 700))], axis=1)


def cost(lengths, shapes):
    return sum(sum(shapes[k]) for k in assign(lengths, shapes))


@pytest.mark.parametrize(
    "lengths",
    [
        np.array([[2, 2]] * 9 + [[2, 6]] * 4 + [[5, 3]] * 5 + [[7, 7], [7, 3]]),
        # Halves first are no way to thirds.
        np.array([[n, n] for n in range(1, 10)]),
    ],
    ids=["corners", "diagonal"],
)
def test_shapes_are_the_best_where_all_can_be_tried(lengths):
    largest = Shape(*lengths.max(axis=0).tolist())
    ends = (sorted(set(side)) for side in lengths.T.tolist())
    grid = [Shape(*each) for each in itertools.product(*ends)]
    for count in (1, 2, 3):
        tried = itertools.combinations(grid, count - 1)
        best = min(cost(lengths, [largest, *others]) for others in tried)
        shapes = choose_shapes(lengths, count)
        assert len(shapes) == count and shapes == sorted(shapes, key=sum)
        assert cost(lengths, shapes) == best


def test_shapes_hold_all_pairs_with_little_padding_however_many_lengths():
    lengths = 5 * LENGTHS + np.random.default_rng(1).integers(0, 5, LENGTHS.shape)
    shapes = choose_shapes(lengths, 10)
    assert 1 < len(shapes) <= 10
    assigned = np.array(shapes)[assign(lengths, shapes)]
    assert (assigned >= lengths).all()
    assert 1 - lengths.sum() / assigned.sum() < 0.2


def test_pair_goes_to_the_shape_of_fewest_tokens():
    shapes = [Shape(3, 3), Shape(6, 4), Shape(4, 8), Shape(9, 9)]
    lengths = np.array([[3, 3], [1, 4], [5, 1], [4, 5], [7, 1]])
    assert assign(lengths, shapes).tolist() == [0, 1, 1, 2, 3]
    with pytest.raises(ValueError, match=r"no shape holds a pair of \[10, 1\]"):
        assign(np.array([[10, 1]]), shapes)
