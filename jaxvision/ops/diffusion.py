"""The process of a diffusion model: images to noise, and single steps back.

Denoising Diffusion Probabilistic Models, Ho et al. 2020, https://arxiv.org/abs/2006.11239; cosine
schedule: Nichol & Dhariwal 2021, https://arxiv.org/abs/2102.09672, equation 17; prediction of the
velocity: Salimans & Ho 2022, https://arxiv.org/abs/2202.00512, appendix D; DDIM: Song et al. 2020,
https://arxiv.org/abs/2010.02502, equations 12 and 16.

Times are 0 to T - 1, as in code; the papers count from 1. Tables are computed in float64.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.ops import ranges

SCHEDULES = ("linear", "cosine")
PREDICTIONS = ("noise", "image", "velocity")
VARIANCES = ("large", "small")


@dataclasses.dataclass(frozen=True)
class Diffusion:
    """How images become noise, and what a network predicts of it.

    Attributes:
        steps: Number of times T.
        schedule: Of the variances beta: `linear` from 1e-4 to 0.02, scaled to T from 1000, or
            `cosine`.
        prediction: What the network's output stands for: `noise`, the clean `image`, or the
            `velocity` sqrt(a) noise - sqrt(1 - a) image, a the product of 1 - beta.
        variance: Of a step back: `large`, beta, or `small`, that of the true posterior.
        clip: Whether predicted images are clipped to [-1, 1].

    Raises:
        ValueError: If a name is unknown or there are fewer than 2 steps.
    """

    steps: int = 1000
    schedule: str = "linear"
    prediction: str = "noise"
    variance: str = "large"
    clip: bool = True

    def __post_init__(self) -> None:
        ranges.check(self, "[2, 1_000_000]", "steps")
        choices = dict(schedule=SCHEDULES, prediction=PREDICTIONS, variance=VARIANCES)
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")

    @functools.cached_property
    def betas(self) -> np.ndarray:
        """Variances that each step adds [T] float64."""
        if self.schedule == "linear":
            scale = 1000 / self.steps
            return np.minimum(np.linspace(1e-4 * scale, 0.02 * scale, self.steps), 0.999)
        times = np.arange(self.steps + 1) / self.steps
        left = np.cos((times + 0.008) / 1.008 * np.pi / 2) ** 2
        return np.minimum(1 - left[1:] / left[:-1], 0.999)

    @functools.cached_property
    def signal(self) -> np.ndarray:
        """Products of 1 - beta: the share of the image's variance that is left [T] float64."""
        return np.cumprod(1 - self.betas)

    @functools.cached_property
    def posterior_variance(self) -> np.ndarray:
        """Variance of the step before, given the image [T] float64 (equation 7); 0 at time 0."""
        return self.betas * (1 - self._signal_before) / (1 - self.signal)

    @functools.cached_property
    def posterior_mean(self) -> tuple[np.ndarray, np.ndarray]:
        """Factors of the image and of the noisy image in that step's mean [T] (equation 7)."""
        before, left = self._signal_before, 1 - self.signal
        return (
            np.sqrt(before) * self.betas / left,
            np.sqrt(1 - self.betas) * (1 - before) / left,
        )

    @property
    def _signal_before(self) -> np.ndarray:
        return np.append(1.0, self.signal[:-1])

    def noised(self, image: jax.Array, noise: jax.Array, t: jax.Array) -> jax.Array:
        """Computes noisy images at times [B] (equation 4).

        Args:
            image: [B, H, W, C], in [-1, 1].
            noise: [B, H, W, C], of variance 1.
            t: Times [B].
        """
        a, b = self._scales(t)
        return a * image + b * noise

    def target(self, image: jax.Array, noise: jax.Array, t: jax.Array) -> jax.Array:
        """Returns what the network is to output [B, H, W, C]; arguments as of `noised`."""
        if self.prediction == "noise":
            return noise
        if self.prediction == "image":
            return image
        a, b = self._scales(t)
        return a * noise - b * image

    def image_and_noise(
        self, output: jax.Array, noisy: jax.Array, t: jax.Array, *, clip: bool | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Turns a network's output into the image and the noise that it stands for.

        Args:
            output: The network's [B, H, W, C].
            noisy: Its input [B, H, W, C].
            t: Times [B].
            clip: Replaces the field `clip`; the noise stays what the output says.

        Returns:
            Image and noise [B, H, W, C].
        """
        a, b = self._scales(t)
        if self.prediction == "noise":
            image, noise = (noisy - b * output) / a, output
        elif self.prediction == "image":
            image, noise = output, (noisy - a * output) / b
        else:
            image, noise = a * noisy - b * output, b * noisy + a * output
        return jnp.clip(image, -1.0, 1.0) if (self.clip if clip is None else clip) else image, noise

    def ancestral_step(
        self, output: jax.Array, noisy: jax.Array, t: jax.Array, fresh: jax.Array
    ) -> jax.Array:
        """Goes from time t to t - 1 (algorithm 2); from time 0 to the image, without noise.

        Args:
            output: The network's [B, H, W, C].
            noisy: Its input [B, H, W, C].
            t: Times [B].
            fresh: Noise of variance 1 [B, H, W, C].

        Returns:
            Less noisy images [B, H, W, C].
        """
        image, _ = self.image_and_noise(output, noisy, t)
        of_image, of_noisy = (_at(table, t) for table in self.posterior_mean)
        variance = self.betas if self.variance == "large" else self.posterior_variance
        deviation = _at(np.sqrt(np.append(0.0, variance[1:])), t)
        return of_image * image + of_noisy * noisy + deviation * fresh

    def ddim_step(
        self,
        output: jax.Array,
        noisy: jax.Array,
        t: jax.Array,
        t_next: jax.Array,
        fresh: jax.Array,
        *,
        eta: float = 0.0,
    ) -> jax.Array:
        """Goes from time t to an earlier one (DDIM, equation 12).

        Args:
            output: The network's [B, H, W, C].
            noisy: Its input [B, H, W, C].
            t: Times [B].
            t_next: Earlier times [B]; -1 for the image itself.
            fresh: Noise of variance 1 [B, H, W, C].
            eta: 0 to add no noise, 1 to add as much as the ancestral sampler with small variances.

        Returns:
            Less noisy images [B, H, W, C].
        """
        image, noise = self.image_and_noise(output, noisy, t)
        if self.clip:  # the noise that belongs to the clipped image
            a, b = self._scales(t)
            noise = (noisy - a * image) / b
        # Products with one more entry in front: index 0 is the image.
        signal = np.append(1.0, self.signal)
        now, after = _at(signal, t + 1), _at(signal, t_next + 1)
        deviation = eta * jnp.sqrt((1 - after) / (1 - now) * (1 - now / after))
        along = jnp.sqrt(jnp.maximum(1 - after - jnp.square(deviation), 0.0))
        return jnp.sqrt(after) * image + along * noise + deviation * fresh

    def _scales(self, t: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Factors of image and noise at times [B], each [B, 1, 1, 1]."""
        return _at(np.sqrt(self.signal), t), _at(np.sqrt(1 - self.signal), t)


def _at(table: np.ndarray, t: jax.Array) -> jax.Array:
    """Looks up times [B] in a table [T]: [B, 1, 1, 1] float32."""
    return jnp.asarray(table, jnp.float32)[t][:, None, None, None]
