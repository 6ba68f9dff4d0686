import pytest

from jaxvision.recipes.words import words

CHOICES = dict(variant=("tiny", "s"), source=("shapes", "coco"), length=("", "short"))


def test_first_of_a_choice_is_its_default():
    assert words("", **CHOICES) == ("tiny", "shapes", "")
    assert words("coco", **CHOICES) == ("tiny", "coco", "")


@pytest.mark.parametrize("arg", ["s,coco,short", "short,s,coco", "coco,,short,s"])
def test_words_go_in_any_order(arg):
    assert words(arg, **CHOICES) == ("s", "coco", "short")


def test_unknown_word_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="must be of tiny, s, shapes, coco, short, got huge"):
        words("huge", **CHOICES)


def test_two_words_of_one_choice_are_an_error():
    with pytest.raises(ValueError, match="must have one variant, got tiny and s"):
        words("tiny,s", **CHOICES)


def test_open_choice_takes_any_word_that_no_other_knows():
    choices = dict(variant="resnet18", length=("", "short"))
    assert words("", **choices) == ("resnet18", "")
    assert words("short,vit_b_16", **choices) == ("vit_b_16", "short")
    with pytest.raises(ValueError, match="must have one variant, got a and b"):
        words("a,b", **choices)
