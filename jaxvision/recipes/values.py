"""The values that every recipe has, and those that a continued run may change.

The defaults of a recipe are locked: a config file or a flag may give them other values, and a name
that does not exist is an error that names the nearest one.
"""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

# A `ConfigDict`: a type checker cannot know its names.
Config = Any

# Values that do not change what is learned but how fast, for how long and with which reports.
FREE = (
    "epochs",
    "num_workers",
    "accumulate",
    "sharding",
    "log_every",
    "eval_every",
    "save_every",
    "save_minutes",
    "non_finite",
    "spike",
    "patience",
    "wandb",
    "data.path",
    "data.prefetch",
    "data.test",
    "eval.batch_size",
    "eval.epochs",
)

# Values in which the processes of a run may differ.
OF_ONE_PROCESS = ("num_workers", "data.path", "data.prefetch", "data.cache_bytes")


def common() -> Config:
    """Returns the values that every recipe has, with the defaults of most; not yet locked."""
    config: Config = ConfigDict()
    config.variant = ""  # a name of models.variants()
    config.epochs = 100
    config.seed = 0
    config.dtype = "auto"  # bfloat16 on GPU and TPU, float32 on CPU
    # What a new run starts from: a run's folder (its best checkpoint), a reference's weights (.pth,
    # .safetensors, .npz), a name that `jaxvision download` knows, or hf://owner/name.
    config.weights = ""
    # Patterns of what is not trained, as "backbone/.*"; its normalisation keeps its statistics.
    config.freeze = ""
    config.accumulate = 1  # parts of a batch that are computed one after another
    config.sharding = "replicated"  # or fsdp: each device holds a part of the state
    config.num_workers = 4  # threads that read data
    config.log_every = 20  # steps, as the next two
    config.eval_every = 0  # 0: every `eval.epochs` epochs
    config.save_every = 0  # 0: an epoch, or 100 steps where an epoch is shorter
    config.save_minutes = 10.0  # most minutes between checkpoints; 0: any
    config.non_finite = "stop"  # at a loss or gradient that is NaN; or skip: leave its update out
    config.spike = 0.0  # leaves out updates whose loss is above this multiple of its mean; 0: none
    config.wandb = ""  # a project on Weights & Biases that gets the metrics too; needs the extra
    config.patience = 0  # evaluations without a better value after which a run ends; 0: none

    config.model = ConfigDict()  # fields of the network that differ from the variant's

    config.data = ConfigDict()
    config.data.source = ""  # the format
    config.data.path = ""
    config.data.train = "train"
    config.data.val = "val"
    config.data.test = ""  # a split that is evaluated once, after the last step; empty: none
    config.data.prefetch = 4  # batches held ready

    _optimization(config)

    config.eval = ConfigDict()
    config.eval.batch_size = 0  # 0: that of training
    config.eval.epochs = 1.0  # epochs between evaluations, where eval_every is 0
    return config


def _optimization(config: Config) -> None:
    """Sets how parameters change: optimizer, learning rate, average."""
    config.optimizer = ConfigDict()
    config.optimizer.name = "adamw"
    config.optimizer.learning_rate = 1e-3
    # The learning rate is that of a batch of this size and in proportion to others; 0: of any size.
    config.optimizer.base_batch = 0
    config.optimizer.momentum = 0.9
    config.optimizer.b1 = 0.9
    config.optimizer.b2 = 0.999
    config.optimizer.decay = 0.0  # of the mean square of rmsprop and adadelta; 0: 0.9
    config.optimizer.epsilon = 0.0  # 0: the optimizer's usual one
    config.optimizer.initial_accumulator = 0.0  # of adagrad
    # Steps after which adam, adamw and the like go on as SGD with momentum; 0: never.
    config.optimizer.sgd_after = 0
    config.optimizer.sgd_scale = 1.0  # factor of the learning rate from then on
    config.optimizer.weight_decay = 0.0
    config.optimizer.l1 = 0.0
    config.optimizer.clip_norm = 0.0  # longest gradient over all parameters; 0: any
    config.optimizer.clip_value = 0.0
    # Scales the learning rate of each block or stage of a backbone by
    # layer_decay^(depth from the top), for fine-tuning, as 0.75; 1: not.
    config.optimizer.layer_decay = 1.0
    # (regular expression, learning-rate scale, decay scale), the first that matches a parameter.
    config.optimizer.groups = ()

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    # Length of the warmup by one of these three: a share of the run, epochs, or steps.
    config.schedule.warmup = 0.0
    config.schedule.warmup_epochs = 0.0
    config.schedule.warmup_steps = 0
    config.schedule.boundaries = (0.5, 0.75)  # of step, shares of the run
    config.schedule.factor = 0.1  # of step, exponential and exp_range
    config.schedule.period_epochs = 1.0  # of exponential, and of a cycle of triangular
    config.schedule.hold_epochs = 0.0  # before exponential falls
    config.schedule.power = 1.0  # of polynomial
    config.schedule.final_ratio = 0.0  # the lowest learning rate as a share of the highest
    config.schedule.rise = 0.3  # share of the run in which one_cycle rises

    config.plateau = ConfigDict()
    # Evaluations without a better value after which the learning rate is lowered; 0: never.
    config.plateau.patience = 0
    config.plateau.factor = 0.1

    config.ema = ConfigDict()
    config.ema.decay = 0.0  # of the average of the parameters, which is evaluated; 0: none
    config.ema.warmup = 2000.0  # updates in which 63% of the decay is reached; 0: at once
    config.ema.tail = 0.0  # in place of a decay: the mean over this share of the run, its end


def locked(config: Config) -> Config:
    """Locks all values of a recipe but the fields of the network, which differ between variants."""
    config.lock()
    config.model.unlock()
    return config


def restored(config: Mapping[str, Any]) -> Config:
    """Returns the config that a checkpoint's meta holds."""
    return ConfigDict(config).lock()
