"""GPT: Language Models are Unsupervised Multitask Learners, Radford et al. 2019.

https://openai.com/research; the blocks are those of Vaswani et al. 2017,
https://arxiv.org/abs/1706.03762.

    python train.py --config configs/gpt.py
    python train.py --config configs/gpt.py:tiny,text --config.data.path=DIR

trains a language model as `configs/lstm.py` does, on the same texts.
The argument names a size (tiny, gpt2, medium, large, xl, and gpt1, the Transformer of 2018 with its
norms behind) and a source. `tiny` is ours, for a text of a few hundred thousand words: on War and
Peace (430,780 words to train on) it has a validation perplexity of 313.8, 201.7, 165.9, 154.0 after
the first four epochs, 127.8 after ten and 115.6 after twenty, 45 minutes of processor time.
"""

from typing import Any

from jaxvision.recipes import language_modelling
from jaxvision.recipes.words import words

recipe = language_modelling
SIZES = ("tiny", "gpt2", "medium", "large", "xl", "gpt1")


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    size, source = words(arg, size=SIZES, source=("drawn", "text"))
    config = language_modelling.defaults()
    config.variant = size if size.startswith("gpt") else f"gpt2_{size}"
    config.data.update(source=source, shifted=True)
    config.update(batch_size=16, window=64, epochs=10)
    config.loss.sum_over_steps = False
    config.optimizer.update(name="adamw", learning_rate=1e-3, weight_decay=0.1, clip_norm=1.0)
    config.optimizer.b2 = 0.95
    config.schedule.update(name="cosine", warmup=0.05, final_ratio=0.1)
    config.eval.update(window=32, context=32)
    if size == "tiny":
        config.model.dropout_rate = 0.25
        if source == "text":
            config.update(batch_size=32, epochs=20)
            config.optimizer.learning_rate = 1.5e-3
    else:
        config.update(window=1024 if size != "gpt1" else 512)
        config.eval.update(window=config.window // 2, context=config.window // 2)
    return config
