"""Parallel text with one fault each."""

import pytest

from jaxvision.check.kinds import KINDS
from jaxvision.check.parallel_text import check_parallel

ENGLISH = ["a dog", "two dogs run", "a cat sleeps", "the man eats a pear"]
GERMAN = ["ein Hund", "zwei Hunde rennen", "eine Katze schläft", "der Mann isst eine Birne"]


def check(tmp_path, train=(), val=(), raw=None):
    """Checks four good pairs and more; `raw` are the bytes of `train.de`."""
    sides = {"train": list(zip(ENGLISH, GERMAN, strict=True)) + list(train), "val": list(val)}
    sides["val"] = [("the dog sleeps", "der Hund schläft"), *sides["val"]]
    for split, pairs in sides.items():
        for k, language in enumerate(("en", "de")):
            lines = "".join(f"{pair[k]}\n" for pair in pairs)
            (tmp_path / f"{split}.{language}").write_bytes(lines.encode())
    if raw is not None:
        (tmp_path / "train.de").write_bytes(raw)
    return check_parallel(str(tmp_path), {"train": "train", "val": "val"}, ("en", "de"))


def test_clean_text(tmp_path):
    summary = check(tmp_path)
    assert summary.findings == () and summary.trainable
    english = summary.statistics["train"]["en"]
    assert (english["sentences"], english["most_words"], english["different_words"]) == (4, 5, 11)
    assert "train, de" in summary.as_text() and "ready to train" in summary.as_html(None)


@pytest.mark.parametrize(
    ("code", "split", "example", "options"),
    [
        ("empty-line", "train", "train.de:5", dict(train=[("x cat", "")])),
        ("unreadable-split", "train", "train.de has 3", dict(raw=b"a\nb\nc\n")),
        ("unreadable-split", "train", "expected UTF-8", dict(raw=b"a\nb\nc\nK\xe4se\n")),
        ("repeated-pair", "train", "as train.en:1: a dog", dict(train=[("a dog", "ein Hund")])),
        ("pair-in-both-splits", "val", "as train.en:3", dict(val=[(ENGLISH[2], GERMAN[2])])),
        ("untranslated", "train", "a dog runs", dict(train=[("a dog runs", "a dog runs")])),
        ("unequal-lengths", "train", "8 and 2 words", dict(train=[("a " * 8, "der Hund")])),
        ("broken-characters", "train", "the cheese", dict(train=[("the cheese", "der KÃ¤se")])),
        ("broken-characters", "train", "a�dog", dict(train=[("a�dog", "der Hund")])),
        ("unknown-characters", "val", "Ж", dict(val=[("a man", "ein Ж Mann")])),
        ("long-sentence", "train", "101 and", dict(train=[("a dog " * 50 + "a", "der " * 99)])),
    ],
)
def test_each_fault_is_found(tmp_path, code, split, example, options):
    summary = check(tmp_path, **options)
    finding = next(f for f in summary.findings if (f.code, f.split) == (code, split))
    assert finding.count == 1
    assert any(example in f"{each.file} {each.detail}" for each in finding.examples)
    assert summary.trainable == (KINDS[code].severity != "error")
    # The characters of the broken pair are unknown to nothing else.
    assert {f.code for f in summary.findings} == {code}


def test_umlauts_and_capitals_are_no_broken_characters(tmp_path):
    pairs = [("Ãfrica – “quoted”\tword", "ÂB Straße, Äpfel, naïve, São Paulo …")]
    assert check(tmp_path, train=pairs).findings == ()


def test_missing_files_and_only_empty_lines(tmp_path):
    summary = check_parallel(str(tmp_path), {"train": "train"}, ("en", "de"))
    assert not summary.trainable and "train.en" in summary.findings[0].examples[0].file
    for language in ("en", "de"):
        (tmp_path / f"train.{language}").write_text("\n\n")
    summary = check_parallel(str(tmp_path), {"train": "train"}, ("en", "de"))
    assert {f.code for f in summary.findings} == {"no-pairs", "empty-line"}
