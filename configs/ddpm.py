"""Denoising Diffusion Probabilistic Models, Ho et al. 2020, https://arxiv.org/abs/2006.11239.

    python train.py --config configs/ddpm.py
    python train.py --config configs/ddpm.py:mnist --config.data.path=DIR
    python train.py --config configs/ddpm.py:paper,cifar10 --config.data.path=DIR
    python train.py --config configs/ddpm.py:paper,folder --config.data.path=DIR

The argument names the network and the format of the data (digits, which are drawn and need no
download, mnist, cifar10, folder). `small` learns digits on a CPU, with their classes, the cosine
schedule and an average that follows a short run, `tiny` those of 16 x 16 pixels. `paper` is the
paper's: without classes, 800,000 steps of 128 images, Adam at 2e-4 after 5,000 steps of warmup, an
average of decay 0.9999, T = 1000 linear steps; published FID on CIFAR-10: 3.17. DIR of `cifar10`
holds `train.zip` and `test.zip`, or folders, of `<class>/<image>`; that of `folder` pictures of any
size.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import diffusion, generation

recipe = diffusion


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source = generation.parse(arg, variant=("small", "tiny", "paper"))
    config = diffusion.defaults()
    generation.from_source(config, source)
    if variant != "paper":
        config.variant = f"ddpm_{variant}"
        config.update(batch_size=48, epochs=4 if source == "mnist" else 12)
        config.process.schedule = "cosine"
        config.optimizer.update(name="adamw", learning_rate=2e-3, clip_norm=1.0)
        config.schedule.warmup = 0.05
        config.ema.update(decay=0.995, warmup=200)
        config.sample.guidance = 2.0
        config.eval.epochs = 2
        if variant == "tiny":
            config.update(image_size=(16, 16), epochs=4)
    else:
        config.update(variant="ddpm_cifar10", conditional=False, batch_size=128, epochs=2048)
        config.optimizer.update(name="adam", learning_rate=2e-4, clip_norm=1.0)
        config.schedule.update(name="constant", warmup_steps=5000)
        config.ema.update(decay=0.9999, warmup=0)
        config.eval.update(epochs=50)
    return config
