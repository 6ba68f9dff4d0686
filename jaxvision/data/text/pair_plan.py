"""What the training plans of sentence pairs have in common."""

from jaxvision.data.text.limit import Limited
from jaxvision.data.text.shapes import Shape


class PairPlan:
    """Shows each pair once in an epoch, in batches of a few shapes.

    Attributes:
        masked: False.
        limited: The pairs, those that are too long dropped or cut.
        shapes: Lengths of source and target, smallest first.
        batch_sizes: B of each of them.
        padding: Share of an epoch's tokens that are padding.
        pairs_per_row: Of the row with the most pairs, P.
    """

    masked = False
    limited: Limited
    shapes: list[Shape]
    batch_sizes: list[int]
    padding: float
    pairs_per_row: int = 1

    def describe(self) -> str:
        """Returns the shapes, the share of padding and the number of long sentences in one line."""
        shapes = ", ".join(
            f"{size} x {shape.source}+{shape.target}"
            for size, shape in zip(self.batch_sizes, self.shapes, strict=True)
        )
        packed = f", up to {self.pairs_per_row} pairs in a row" if self.pairs_per_row > 1 else ""
        done = "cut" if self.limited.cut else "dropped"
        return (
            f"batches of {shapes} tokens{packed}; {self.padding:.1%} of an epoch's tokens are "
            f"padding; {self.limited.too_long} pairs {done}, too long"
        )
