"""What language models are measured by."""

import math

import flax.struct
from clu import metrics


@flax.struct.dataclass
class Perplexity(metrics.Metric):
    """The tokens of a text and how probable they were; merging adds them.

    Attributes:
        negative_log_likelihood: Sum over the tokens, in nats.
        correct: Tokens that were the most probable ones.
        tokens: Number of tokens.
    """

    negative_log_likelihood: float
    correct: int
    tokens: int

    @classmethod
    def empty(cls) -> "Perplexity":
        """Returns the metric of no tokens; merging it changes nothing."""
        return cls(0.0, 0, 0)

    def merge(self, other: "Perplexity") -> "Perplexity":
        """Adds the tokens of another metric."""
        return Perplexity(
            self.negative_log_likelihood + other.negative_log_likelihood,
            self.correct + other.correct,
            self.tokens + other.tokens,
        )

    def compute(self) -> dict[str, float]:
        """Returns `perplexity`, `loss` in nats a token, and `accuracy`; nan without tokens."""
        if not self.tokens:
            return dict.fromkeys(("perplexity", "loss", "accuracy"), math.nan)
        loss = self.negative_log_likelihood / self.tokens
        # e^700 is nearly the largest float.
        perplexity = math.exp(min(loss, 700.0))
        return {"perplexity": perplexity, "loss": loss, "accuracy": self.correct / self.tokens}
