"""Several trained detectors as one, whose boxes go through one suppression."""

import dataclasses
from typing import Any, NoReturn

import jax

from jaxvision.ops.nms import Candidates
from jaxvision.tasks.dense_detection import DenseDetection, rescaled, resized, scaled_side
from jaxvision.tasks.task import Batch, ModelState, Params


@dataclasses.dataclass(frozen=True)
class DetectionEnsemble(DenseDetection):
    """Predicts with several detectors of the same classes; it is not trained.

    Each collection of variables holds those of the members as `member1`, `member2`, ... Limits,
    thresholds and the kind of suppression are its own, and so is its `model` by name alone.

    Attributes:
        members: The detectors.
        sides: Of each, the side of the square images that it was trained on, in pixels. Batches are
            those of the first; they are resized for the others.

    Raises:
        ValueError: If there are fewer than two members, or their classes differ.
    """

    members: tuple[DenseDetection, ...] = ()
    sides: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.members) < 2 or len(self.sides) != len(self.members):
            raise ValueError(
                f"an ensemble must be of two detectors or more, with a side for each, got "
                f"{len(self.members)} and {self.sides}"
            )
        for member in self.members:
            if member.class_names != self.class_names:
                raise ValueError(
                    "the detectors of an ensemble must have the same classes, got "
                    f"{', '.join(self.class_names)} and {', '.join(member.class_names)}"
                )

    @property
    def any_size(self) -> bool:
        """Whether all networks take images of other sizes."""
        return all(member.any_size for member in self.members)

    def init(self, key: jax.Array, batch: Batch) -> NoReturn:
        """Raises, since members are trained one by one."""
        raise ValueError("an ensemble is not trained; train its members")

    def loss(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises, since members are trained one by one."""
        raise ValueError("an ensemble is not trained; train its members")

    def _members(self, params: Params, state: ModelState, batch: Batch) -> list[Candidates]:
        found = []
        shape = batch["image"].shape
        for number, (member, side) in enumerate(zip(self.members, self.sides, strict=True), 1):
            name = member_name(number)
            own = {key: tree[name] for key, tree in state.items() if name in tree}
            height, width = (self._side(length, side) for length in shape[1:3])
            shown = resized(batch, height, width)
            for view in member._members(params[name], own, shown):
                boxes = rescaled(view.boxes, (height, width), shape)
                found.append(self.among_wanted(view._replace(boxes=boxes)))
        return found

    def _side(self, length: int, side: int) -> int:
        """Length for a member of a side of the images, whose own is that of the first."""
        return side if length == self.sides[0] else scaled_side(length, side / self.sides[0])


def member_name(number: int) -> str:
    """Name of a member's variables, counted from 1."""
    return f"member{number}"
