"""The pictures of `shapes` with a class for every pixel."""

from jaxvision.data.sample import Sample
from jaxvision.data.sources.shapes import CLASSES, Shapes


class ShapeMaps(Shapes):
    """Circles, squares, stars and triangles on a background, which is the first class."""

    classes = ("background", *CLASSES)

    def __init__(
        self,
        length: int = 2000,
        *,
        image_size: int = 160,
        seed: int = 0,
        split: str = "train",
        classes: tuple[str, ...] | None = None,
    ) -> None:
        """Describes a split as `Shapes` does."""
        super().__init__(
            length, image_size=image_size, seed=seed, split=split, classes=classes, label_map=True
        )

    def __getitem__(self, index: int) -> Sample:
        """Draws a picture."""
        return super().__getitem__(index).replace(objects=None)
