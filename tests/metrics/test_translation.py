import math

import numpy as np
import pytest

from jaxvision.metrics.translation import TranslationQuality, bleu_signature, corpus_bleu

REFERENCES = ["the cat is on the mat .", "A man, sleeping on a bench.", "Two dogs run."]
HYPOTHESES = ["the cat is on a mat .", "a man sleeping on a bench.", "Two dogs run."]


def quality(rows, hypotheses=HYPOTHESES):
    return TranslationQuality.from_model_output(
        index=rows,
        hypotheses=[hypotheses[i] for i in rows],
        references=[REFERENCES[i] for i in rows],
        negative_log_likelihood=np.array([4.0, 3.0, 1.0])[rows],
        correct=np.array([5, 4, 3])[rows],
        tokens=np.array([8, 8, 4])[rows],
    )


def bleu_by_hand():
    """Counts n-grams of words, split from their punctuation as 13a does."""
    split = [
        [s.replace(",", " ,").replace("bench.", "bench .").replace("run.", "run .").split()]
        for s in (*HYPOTHESES, *REFERENCES)
    ]
    split = [words for (words,) in split]
    hypotheses, references = split[:3], split[3:]
    logs = []
    for n in range(1, 5):
        matches = total = 0
        for hypothesis, reference in zip(hypotheses, references, strict=True):
            grams = [tuple(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1)]
            known = [tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)]
            matches += sum(min(grams.count(g), known.count(g)) for g in set(grams))
            total += len(grams)
        logs.append(math.log(matches / total))
    lengths = [sum(map(len, side)) for side in (hypotheses, references)]
    brevity = min(0.0, 1 - lengths[1] / lengths[0])
    return 100 * math.exp(sum(logs) / 4 + brevity)


def test_bleu_is_that_of_the_paper():
    found = quality([0, 1, 2]).compute()
    assert found["bleu"] == pytest.approx(bleu_by_hand())
    assert 0 < found["bleu"] < 100


def test_perplexity_and_accuracy_are_over_all_tokens():
    found = quality([0, 1, 2]).compute()
    assert found["perplexity"] == pytest.approx(math.exp(8 / 20))
    assert found["token_accuracy"] == pytest.approx(12 / 20)


def test_case_counts():
    lower = [h.lower() for h in HYPOTHESES]
    assert quality([0, 1, 2], lower).compute()["bleu"] < quality([0, 1, 2]).compute()["bleu"]


def test_perfect_translation_has_100():
    assert quality([2, 0, 1], REFERENCES).compute()["bleu"] == pytest.approx(100)


def test_batches_merge_in_any_order():
    whole = quality([0, 1, 2]).compute()
    merged = quality([2]).merge(TranslationQuality.empty()).merge(quality([1, 0]))
    assert merged.compute() == pytest.approx(whole)
    # BLEU is not a mean over batches.
    parts = [quality([i]).compute()["bleu"] for i in range(3)]
    assert np.mean(parts) != pytest.approx(whole["bleu"], abs=1.0)


def test_sentence_twice_and_none_are_refused():
    with pytest.raises(ValueError, match="evaluated once, got 1 twice"):
        quality([0, 1]).merge(quality([1])).compute()
    with pytest.raises(ValueError, match="at least one sentence"):
        TranslationQuality.empty().compute()


def test_perplexity_of_a_hopeless_model_is_a_number():
    hopeless = TranslationQuality.from_model_output(
        index=[0],
        hypotheses=["a"],
        references=["b"],
        negative_log_likelihood=np.array([1e6]),
        correct=np.array([0]),
        tokens=np.array([1]),
    )
    assert math.isfinite(hopeless.compute()["perplexity"])


def test_lines_alone_have_the_same_bleu():
    assert corpus_bleu(HYPOTHESES, REFERENCES) == quality([0, 1, 2]).compute()["bleu"]


def test_signature_tells_how_it_is_computed():
    assert "case:mixed|" in bleu_signature() and "tok:13a|" in bleu_signature()
