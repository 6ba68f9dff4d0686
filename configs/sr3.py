"""SR3: Image Super-Resolution via Iterative Refinement, Saharia et al. 2021.

https://arxiv.org/abs/2104.07636.

    python train.py --config configs/sr3.py
    python train.py --config configs/sr3.py --config.data.path=DIR --config.data.eval=SET5

A diffusion model that sees the interpolated picture beside the noisy one, four times larger. DIR
and SET5 as for `configs/srresnet.py`; without DIR, pictures are drawn. Not measured here: samples
have details that a mean of all possible pictures lacks, and a lower PSNR than such a mean.

Departs from the paper: a small network of DDPM's kind that is given the time, without attention but
at the lowest level, the cosine schedule, and 50 steps of DDIM.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import diffusion_super_resolution

recipe = diffusion_super_resolution


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    if arg:
        raise ValueError(f"the config takes no argument, got {arg}")
    config = diffusion_super_resolution.defaults()
    config.update(epochs=20)
    config.model.attention_levels = ()  # pictures of any size, whose pixels are too many
    config.process.schedule = "cosine"
    config.optimizer.update(name="adamw", learning_rate=1e-3, clip_norm=1.0)
    config.schedule.warmup = 0.05
    config.ema.update(decay=0.995, warmup=200)
    config.eval.epochs = 10
    return config
