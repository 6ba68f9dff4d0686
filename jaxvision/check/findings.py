"""Kinds of errors in datasets, and findings of them."""

import enum
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxvision.data.errors import DataError

# Number of places that a finding lists.
MAX_EXAMPLES = 10


class Severity(enum.StrEnum):
    """How much a finding matters, worst first."""

    ERROR = "error"  # Training stops, or learns nothing.
    WARNING = "warning"  # Training runs, but with less or worse data than it seems.
    NOTE = "note"  # Often intended.


class Kind(NamedTuple):
    """One kind of finding.

    Attributes:
        severity: How much it matters.
        title: What was found, in the plural.
        advice: One sentence on what to do.
    """

    severity: Severity
    title: str
    advice: str


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

# By code; the codes are for programs and do not change. Errors of readers carry theirs; those
# without one are `faulty-record` or, where nothing could be read, `unreadable-split`.
KINDS: dict[str, Kind] = {
    "unreadable-split": Kind(
        _E,
        "Splits that cannot be read",
        "Correct what the message names; nothing else was checked.",
    ),
    "faulty-record": Kind(
        _E, "Records that cannot be read", "Correct the record, or export the annotations again."
    ),
    "no-images": Kind(
        _E, "Splits without images", "Check the name of the split, and that it lists images."
    ),
    "no-classes": Kind(
        _E, "Splits without class names", "Name them with --classes, or annotate an object."
    ),
    "no-labels": Kind(
        _E,
        "Splits without any label file",
        "Put labels/<split>/<name>.txt beside images/<split>/<name>.jpg.",
    ),
    "nothing-to-learn": Kind(
        _E,
        "Training splits without an object to learn from",
        "Annotate objects; look also at the boxes that were dropped or are marked as crowds.",
    ),
    "missing-image": Kind(
        _E, "Images that are missing", "Add the files, or take them out of the split."
    ),
    "missing-annotation": Kind(
        _E,
        "Annotation files that are missing",
        "Add the file (one without objects is fine), or take the image out of the split.",
    ),
    "unreadable-image": Kind(
        _E, "Images that cannot be read", "Replace the files, or take them out of the split."
    ),
    "truncated-image": Kind(
        _E,
        "Images that end too early",
        "Copy or download the files again, or take them out of the split.",
    ),
    "wrong-size": Kind(
        _E,
        "Images of another size than their annotation states",
        "If the image was resized after it was annotated, the boxes are wrong as well: annotate it "
        "again, or restore it. Otherwise correct the stated size.",
    ),
    "swapped-sides": Kind(
        _E,
        "Images whose width and height are swapped in the annotation",
        "The annotation tool ignored an EXIF rotation: rotate the pixels for good or remove the "
        "EXIF tag.",
    ),
    "unknown-class": Kind(
        _E,
        "Objects of a class that is not known",
        "Add the class to the classes or to the training split, or correct the annotation.",
    ),
    "unknown-image-id": Kind(
        _E,
        "Annotations of an image that is not listed",
        "Remove the annotations, or add the image to `images`.",
    ),
    "unknown-category-id": Kind(
        _E,
        "Annotations of a category that is not listed",
        "Add the category to `categories`, or correct the annotations.",
    ),
    "repeated-image-id": Kind(_E, "Image ids that come twice", "Give every image its own id."),
    "repeated-category-id": Kind(
        _E, "Category ids that come twice", "Give every category its own id."
    ),
    "repeated-class": Kind(
        _E, "Class names that come twice", "Merge the classes, or name them differently."
    ),
    "nothing-to-evaluate": Kind(
        _W,
        "Evaluation splits without an object",
        "Annotate objects, or choose another split: every AP will be undefined.",
    ),
    "outside-box": Kind(
        _W,
        "Boxes that reach outside their image",
        "Training clips them; if they reach far out, the boxes belong to another image or size.",
    ),
    "degenerate-box": Kind(
        _W,
        "Boxes without width or height inside their image",
        "Training drops them; remove or redraw them.",
    ),
    "duplicate-box": Kind(
        _W,
        "Objects annotated twice, with boxes of an IoU above 0.9",
        "Keep one of them: the other can only be missed, and is learned as a second object.",
    ),
    "two-class-box": Kind(
        _W,
        "Boxes that two classes share",
        "Decide for one class: a detection cannot be right about both.",
    ),
    "tiny-box": Kind(
        _W,
        "Objects smaller than 2 pixels at the network's input",
        "Train at a larger image_size, cut the images into tiles, or remove the objects; those "
        "with a side of at most one pixel are not trained on.",
    ),
    "too-many-objects": Kind(
        _W,
        "Images with more objects than training takes",
        "Raise data.max_objects, or only the first ones of each image are trained on.",
    ),
    "class-without-objects": Kind(
        _W,
        "Classes without an object",
        "Annotate some, move images between the splits, or remove the class: it cannot be learned "
        "in train, and has no AP in val.",
    ),
    "image-in-both-splits": Kind(
        _W,
        "Evaluation images that are training images too",
        "Take them out of one split: the evaluation would measure memorized images.",
    ),
    "duplicate-image": Kind(
        _W,
        "Images that equal an earlier one of their split",
        "Remove the copies; where their annotations differ, find out which one is right.",
    ),
    "misnamed-annotation": Kind(
        _W,
        "Annotations that name another image",
        "Training goes by the name of the XML file: check that its boxes belong to that image.",
    ),
    "repeated-annotation-id": Kind(
        _W,
        "Annotation ids that come twice",
        "Training ignores the ids, other tools do not: number the annotations anew.",
    ),
    "unused-label": Kind(
        _W,
        "Label files without an image",
        "Add the image, rename the file as its image is named, or remove it.",
    ),
    "unchecked-rotation": Kind(
        _W,
        "Images with an EXIF rotation, and no annotated size to compare",
        "Training rotates them: see whether the boxes fit, and rotate the pixels for good.",
    ),
    "exif-rotation": Kind(
        _N,
        "Images with an EXIF rotation",
        "Training rotates them, and the annotated sizes agree: nothing to do.",
    ),
    "same-name": Kind(
        _N,
        "Evaluation images named as a training image, with other content",
        "Nothing to do if the names are only numbers; else see whether one is a copy of the other.",
    ),
    "full-image-box": Kind(
        _N,
        "Boxes around the whole image",
        "See whether they are objects, and not labels of the image.",
    ),
    "small-box": Kind(
        _N,
        "Objects smaller than one cell of stride 8 at the network's input",
        "Train at a larger image_size, or cut the images into tiles, if these objects matter.",
    ),
    "image-without-objects": Kind(
        _N, "Images without objects", "Nothing to do if there is nothing to see in them."
    ),
    "greyscale": Kind(
        _N, "Greyscale images", "Nothing to do if the images to detect in are grey as well."
    ),
    "alpha-channel": Kind(
        _N,
        "Images with an alpha channel",
        "It is dropped without blending: flatten the images if that uncovers wrong colours.",
    ),
    "sixteen-bit": Kind(
        _N,
        "Images of 16 bits",
        "Only the upper 8 bits are used: rescale the images if they are dark in them.",
    ),
}


class Example(NamedTuple):
    """One place where something was found.

    Attributes:
        file: Which file, and where in it.
        detail: What is there; may be empty.
    """

    file: str
    detail: str


class Finding(NamedTuple):
    """One kind of fault in one split.

    Attributes:
        code: Key of `KINDS`.
        split: `train` or `val`.
        count: How often it was found.
        examples: The first places.
    """

    code: str
    split: str
    count: int
    examples: tuple[Example, ...]

    @property
    def kind(self) -> Kind:
        """Title, severity and advice."""
        return KINDS[self.code]


def found(
    code: str, split: str, where: np.ndarray, example: Callable[[int], Example]
) -> list[Finding]:
    """Makes a finding, or none, of where `where` is true; `example` describes a position."""
    positions = np.flatnonzero(where)
    if not positions.size:
        return []
    examples = tuple(example(int(position)) for position in positions[:MAX_EXAMPLES])
    return [Finding(code, split, len(positions), examples)]


def first(code: str, split: str, count: int, examples: Iterable[Sequence[str]]) -> list[Finding]:
    """Makes a finding, or none if the count is 0, of (file, detail) pairs that were gathered."""
    if not count:
        return []
    return [Finding(code, split, count, tuple(Example(*pair) for pair in examples)[:MAX_EXAMPLES])]


class Faults:
    """Counts the errors of a reader or a decoder; an `OnFault`."""

    def __init__(self, split: str) -> None:
        self._split = split
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[Example]] = {}

    def __call__(self, fault: DataError, otherwise: str = "faulty-record") -> None:
        """Counts an error; one without a code is of the kind `otherwise`."""
        code = fault.code if fault.code in KINDS else otherwise
        self._counts[code] = self._counts.get(code, 0) + 1
        examples = self._examples.setdefault(code, [])
        if len(examples) < MAX_EXAMPLES:
            # Messages begin with the file; advice, their last sentences, is the kind's.
            file, _, detail = str(fault).partition(": ")
            examples.append(Example(file, detail if code == otherwise else _sentence(detail)))

    def findings(self) -> list[Finding]:
        """Returns a finding of each kind."""
        return [
            Finding(code, self._split, count, tuple(self._examples[code]))
            for code, count in self._counts.items()
        ]


def _sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Returns findings by severity, then as `KINDS` orders them, train before val."""
    order = {code: position for position, code in enumerate(KINDS)}
    return tuple(
        sorted(findings, key=lambda finding: (order[finding.code], finding.split != "train"))
    )
