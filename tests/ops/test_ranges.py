import types

import pytest

from jaxvision.ops import ranges


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("[0, 1]", (0, 0.5, 1), (-1e-9, 1.1, float("nan"), float("inf"), "a", None)),
        ("(0, 1)", (1e-9, 0.5), (0, 1)),
        ("[1, inf)", (1, 10**9, (1, 2)), (0, (1, 0), float("inf"), 10**400)),
        ("(-inf, inf)", (-5, 5.0), (float("-inf"), float("nan"))),
    ],
)
def test_numbers_are_compared_with_both_bounds(interval, inside, outside):
    for number in inside:
        ranges.check({"share": number}, interval, "share")
        ranges.check(types.SimpleNamespace(share=number), interval, "share")
    for number in outside:
        with pytest.raises(ValueError, match="share must be"):
            ranges.check({"share": number}, interval, "share")


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ("[0, 1)", r"in \[0, 1\)"),
        ("[1, inf)", "at least 1"),
        ("(0, inf)", "above 0"),
        ("(-inf, inf)", "a finite number"),
    ],
)
def test_message_says_what_is_expected_and_what_came(interval, words):
    with pytest.raises(ValueError, match=f"^share must be {words}, got nan$"):
        ranges.check({"share": float("nan")}, interval, "share")


def test_message_says_that_an_infinite_number_is_too_large():
    with pytest.raises(ValueError, match="^sizes must be at least 1 and finite, got "):
        ranges.check({"sizes": (2, float("inf"))}, "[1, inf)", "sizes")


@pytest.mark.parametrize("pair", [(2, 1), (1,), 1, (0, 1), (1, "a")])
def test_pair_is_two_numbers_in_order(pair):
    ranges.check_pair({"scale": (1, 1.5)}, "(0, inf)", "scale")
    with pytest.raises(ValueError, match="scale must be"):
        ranges.check_pair({"scale": pair}, "(0, inf)", "scale")
