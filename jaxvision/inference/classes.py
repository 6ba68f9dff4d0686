"""What results of all classifiers have in common."""

import numpy as np

from jaxvision.inference.result import Result


class Classes(Result):
    """A result with a probability for each class.

    Attributes:
        probabilities: Of each class [K] float32.
        class_names: The classifier's.
    """

    probabilities: np.ndarray
    class_names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The most probable class."""
        return self.class_names[int(self.probabilities.argmax())]

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """Returns the most probable classes with their probabilities, the most probable first."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.class_names[k], float(self.probabilities[k])) for k in order]
