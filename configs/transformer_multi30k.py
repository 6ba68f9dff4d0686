"""Transformer: Attention Is All You Need, Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.

    python train.py --config configs/transformer_multi30k.py --config.data.path=DIR

trains English to German on Multi30k (Elliott et al. 2016, https://arxiv.org/abs/1605.00459), whose
files `train.en.gz`, `train.de.gz`, `val.en.gz`, `val.de.gz` DIR holds, compressed or not; any other
parallel text of that form will do, and what TensorFlow Datasets has prepared in DIR:

    python train.py --config configs/transformer_multi30k.py:base,de-en --config.data.path=DIR \
        --config.data.source=tfds:wmt16_translate/de-en --config.data.val=validation

The argument names a variant (tiny, base, big) and a direction (en-de, de-en), in any order;
`short` is a run for a processor: smaller batches, so that there are more steps, fewer subwords,
which is where a small model's time goes, and less dropout, as it is too short to overfit.

`tiny` is that of Wu et al. 2021, https://arxiv.org/abs/2105.14462, who report 41.0 tokenised BLEU
for it with a beam of 5 on test2016; `base` and `big` are the paper's, too large for Multi30k. BLEU
here is sacrebleu's of cased text, which is lower.
"""

import functools
import math

import jax
import optax
from ml_collections import ConfigDict

from jaxvision.data.errors import stop
from jaxvision.data.faults import FaultLog
from jaxvision.data.text.stream import TranslationTrainStream, translation_eval_stream
from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.data.translation import translation_source
from jaxvision.inference.translation_examples import attention_sheet, translation_lines
from jaxvision.metrics.translation import bleu_signature
from jaxvision.tasks.translation_config import translation_from_config
from jaxvision.train.ema import tail_average
from jaxvision.train.experiment import Experiment
from jaxvision.train.precision import compute_dtype
from jaxvision.train.schedules import noam

VARIANTS = ("tiny", "base", "big")
DIRECTIONS = ("en-de", "de-en")


def get_config(arg: str = "") -> ConfigDict:
    """Returns numbers and strings only, each of which a flag `--config.name=value` replaces."""
    variant, direction, short = "tiny", "en-de", False
    for word in filter(None, arg.split(",")):
        if word in VARIANTS:
            variant = word
        elif word in DIRECTIONS:
            direction = word
        elif word == "short":
            short = True
        else:
            known = ", ".join((*VARIANTS, *DIRECTIONS, "short"))
            raise ValueError(f"the config's argument must be of {known}, got {word}")
    tiny = variant == "tiny"

    config = ConfigDict()
    config.variant = variant
    config.batch_tokens = 4096  # sentences times the longer of source and target
    config.eval_batch_size = 64  # sentences
    config.epochs = 60
    config.seed = 0
    config.dtype = "auto"  # bfloat16 on GPU and TPU, float32 on CPU

    config.log_every = 20  # steps, as the next two
    config.eval_every = 0  # 0: the recipe's interval, `eval_epochs`
    config.save_every = 0  # 0: an epoch, or 100 steps where an epoch is shorter
    config.num_workers = 1

    config.data = ConfigDict()
    config.data.source = "parallel"  # or tfds:<name>
    config.data.path = ""
    config.data.train = "train"
    config.data.val = "val"
    config.data.from_language, config.data.to_language = direction.split("-")
    config.data.tokenizer = ""  # tokenizer.json of another run; empty: learned from train
    config.data.vocabulary_size = 10_000  # subwords, of both languages together
    config.data.empty_lines = "refuse"  # or leave_out
    config.data.max_length = 128  # tokens
    config.data.long_sentences = "leave_out"  # of training; or cut, or refuse
    config.data.packing = False  # pairs share rows of max_length tokens, in one shape of batch
    config.data.buckets = 10  # shapes of training batches, each a program to compile
    config.data.eval_buckets = 2
    config.data.prefetch = 4  # batches held ready

    config.dropout = {"tiny": 0.3, "base": 0.1, "big": 0.3}[variant]
    config.attention_dropout = 0.0
    config.relu_dropout = 0.0
    config.pre_norm = False
    config.positions = "sinusoidal"  # or learned
    config.label_smoothing = 0.1
    config.learning_rate_factor = 2.5 if tiny else 1.0  # of the paper's schedule
    config.warm_up_steps = 2000 if tiny else 4000
    config.average = 0.1  # share of the run, its end: the parameters' mean is what is evaluated
    config.eval_epochs = 5
    config.beam_size = 4
    config.alpha = 0.6  # of the length penalty
    config.extra_length = 50  # tokens that a translation may have more than its source
    if short:
        config.batch_tokens = 2048
        config.epochs = 24
        config.data.vocabulary_size = 6000
        config.dropout = 0.2
        config.warm_up_steps = 1000
        config.learning_rate_factor = 1.1
        config.average = 0.2
    return config


def build(config: ConfigDict) -> Experiment:
    """Wires the experiment, in the order in which data flows."""
    data = config.data
    if data.empty_lines not in ("refuse", "leave_out"):
        raise ValueError(f"data.empty_lines must be refuse or leave_out, got {data.empty_lines}")
    faults = FaultLog()
    options = dict(
        from_language=data.from_language,
        to_language=data.to_language,
        on_fault=faults if data.empty_lines == "leave_out" else stop,
    )
    train = translation_source(data.source, data.path, data.train, **options)
    val = translation_source(data.source, data.path, data.val, **options)
    if left_out := faults.report():
        print(left_out)
    if data.tokenizer:
        tokenizer = SubwordTokenizer.load(data.tokenizer)
    else:
        tokenizer = SubwordTokenizer.train([*train.source, *train.target], data.vocabulary_size)

    train_data = TranslationTrainStream(
        tokenizer.encode(train.source),
        tokenizer.encode(train.target),
        batch_tokens=config.batch_tokens,
        buckets=data.buckets,
        seed=config.seed,
        num_workers=config.num_workers,
        packing=data.packing,
        max_length=data.max_length,
        long_sentences=data.long_sentences,
        multiple=math.lcm(8, jax.local_device_count()),
        prefetch=data.prefetch,
        name=train.place,
    )
    eval_data = translation_eval_stream(
        tokenizer.encode(val.source),
        tokenizer.encode(val.target),
        batch_size=config.eval_batch_size,
        buckets=data.eval_buckets,
        num_workers=config.num_workers,
        prefetch=data.prefetch,
    )
    print(
        f"{len(train.source)} sentences to train on, {len(val.source)} to evaluate on, "
        f"{tokenizer.vocabulary_size} subwords\n{train_data.describe()}\nBLEU: {bleu_signature()}"
    )

    task = translation_from_config(
        config, tokenizer, dtype=compute_dtype(config.dtype), references=val.target
    )

    epoch = train_data.steps_per_epoch
    total_steps = config.epochs * epoch
    learning_rate = noam(
        task.model.features, config.warm_up_steps, factor=config.learning_rate_factor
    )
    return Experiment(
        task=task,
        train_data=train_data,
        eval_data=eval_data,
        optimizer=optax.adam(learning_rate, b1=0.9, b2=0.98, eps=1e-9),
        learning_rate=learning_rate,
        total_steps=total_steps,
        seed=config.seed,
        ema=tail_average(round((1 - config.average) * total_steps)),
        log_every=config.log_every,
        eval_every=config.eval_every or min(config.eval_epochs * epoch, total_steps),
        save_every=config.save_every or max(epoch, 100),
        best="bleu",
        image_name=train.name,
        draw=functools.partial(attention_sheet, tokenizer=tokenizer),
        show=functools.partial(translation_lines, tokenizer=tokenizer, references=val.target),
        files={"tokenizer.json": tokenizer.json()},
    )
