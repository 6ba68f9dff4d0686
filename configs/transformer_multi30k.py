"""Transformer: Attention Is All You Need, Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.

    python train.py --config configs/transformer_multi30k.py --config.data.path=DIR

trains English to German on Multi30k (Elliott et al. 2016, https://arxiv.org/abs/1605.00459), whose
files `train.en.gz`, `train.de.gz`, `val.en.gz`, `val.de.gz` DIR holds, compressed or not; any other
parallel text of that form will do, and what TensorFlow Datasets has prepared in DIR:

    python train.py --config configs/transformer_multi30k.py:base,de-en --config.data.path=DIR \
        --config.data.source=tfds:wmt16_translate/de-en --config.data.val=validation

The argument names a variant (tiny, base, big) and a direction (en-de, de-en), in any order;
`short` is a run for a CPU: smaller batches, so that there are more steps, fewer subwords, which is
where a small model's time goes, and less dropout, as it is too short to overfit.

`tiny` is that of Wu et al. 2021, https://arxiv.org/abs/2105.14462, who report 41.0 tokenised BLEU
for it with a beam of 5 on test2016; `base` and `big` are the paper's, too large for Multi30k. BLEU
here is sacrebleu's of cased text, which is lower.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import translation
from jaxvision.recipes.words import words

recipe = translation


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, direction, length = words(
        arg, variant=("tiny", "base", "big"), direction=("en-de", "de-en"), length=("", "short")
    )
    config = translation.defaults()
    config.update(variant=f"transformer_{variant}", epochs=60)
    source, target = direction.split("-")
    config.data.update(from_language=source, to_language=target)
    config.data.packing = True
    config.model.dropout_rate = {"tiny": 0.3, "base": 0.1, "big": 0.3}[variant]
    if variant == "tiny":
        config.optimizer.learning_rate = 2.5
        config.schedule.warmup_steps = 2000
    config.ema.tail = 0.1
    if length == "short":
        config.update(batch_tokens=2048, epochs=24)
        config.model.dropout_rate = 0.2
        config.data.vocabulary_size = 6000
        config.optimizer.learning_rate = 1.1
        config.schedule.warmup_steps = 1000
        config.ema.tail = 0.2
    return config
