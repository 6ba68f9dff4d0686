"""Kinds of errors in datasets."""

import enum
from typing import NamedTuple


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
    "no-pairs": Kind(
        _E, "Splits without a pair of sentences", "Check the name of the split and its files."
    ),
    "empty-line": Kind(
        _E,
        "Pairs with an empty sentence",
        "Write it, delete the line of both files, or set data.empty_lines to drop.",
    ),
    "missing-image": Kind(
        _E, "Images that are missing", "Add the files, or take them out of the split."
    ),
    "missing-annotation": Kind(
        _E,
        "Annotation files that are missing",
        "Add the file (one without objects is fine), or take the image out of the split.",
    ),
    "missing-mask": Kind(
        _E,
        "Images without a label map",
        "Add a PNG file of the same name, or take the image out of the split.",
    ),
    "unreadable-mask": Kind(
        _E, "Label maps that cannot be read", "Replace the files, or take them out of the split."
    ),
    "coloured-mask": Kind(
        _E,
        "Label maps that hold colours",
        "Export palette or grey PNG files, whose values are the classes' numbers.",
    ),
    "unreadable-image": Kind(
        _E, "Images that cannot be read", "Replace the files, or take them out of the split."
    ),
    "truncated-image": Kind(
        _E,
        "Images that end too early",
        "Copy or download the files again, or take them out of the split.",
    ),
    "too-many-pixels": Kind(
        _E,
        "Images with more pixels than are read",
        "Make them smaller or cut them into tiles, or set the environment variable "
        "JAXVISION_MAX_PIXELS to a larger number if the memory suffices.",
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
    "two-class-image": Kind(
        _W,
        "Images that equal an earlier one of another class",
        "Decide for one class, and remove the other copy: no prediction can be right about both.",
    ),
    "class-without-images": Kind(
        _W,
        "Classes without an image",
        "Add some, move images between the splits, or remove the class: it cannot be learned in "
        "train, and is not measured in val.",
    ),
    "class-without-pixels": Kind(
        _W,
        "Classes without a pixel",
        "Label some, move images between the splits, or remove the class: it cannot be learned in "
        "train, and has no IoU in val.",
    ),
    "much-void": Kind(
        _W,
        "Label maps of which more than half is void",
        "Label more of these images: void pixels teach nothing.",
    ),
    "few-images": Kind(
        _W,
        "Classes of fewer than 10 training images",
        "Collect more, or start from pretrained weights and expect little of these classes.",
    ),
    "imbalanced-classes": Kind(
        _W,
        "Classes of which the largest has more than ten times the images of the smallest",
        "Set data.balance to repeat, so that rare classes are drawn more often, or collect more; "
        "look at f1 of each class beside the accuracy.",
    ),
    "tiny-image": Kind(
        _W,
        "Images with a side below 16 pixels",
        "Replace thumbnails and failed exports by the originals, or remove them.",
    ),
    "unequal-lengths": Kind(
        _W,
        "Pairs of which one sentence has more than three times the words of the other",
        "See whether the two lines belong together; one missing line shifts all that follow.",
    ),
    "broken-characters": Kind(
        _W,
        "Pairs with control characters, or with letters in a wrong encoding",
        'Convert the file again from its original; "Ã¤" was UTF-8 that was read as Latin-1.',
    ),
    "untranslated": Kind(
        _W,
        "Pairs of two equal sentences",
        "Translate or remove them, unless they are names: copying is learned from them.",
    ),
    "pair-in-both-splits": Kind(
        _W,
        "Evaluation sentences that are training sentences too",
        "Take them out of one split: the evaluation would measure memorized sentences.",
    ),
    "unknown-characters": Kind(
        _W,
        "Evaluation pairs with characters that training has not",
        "Add text that has them, or write them as training does, such as one kind of quotes: they "
        "cannot be learned.",
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
    "other-files": Kind(
        _N,
        "Folders with files that are no images",
        "Nothing to do if they are notes; convert images of other formats to PNG or JPEG.",
    ),
    "repeated-pair": Kind(
        _N,
        "Pairs that equal an earlier one of their split",
        "Remove the copies if they come from a mistake: they count as often as they come.",
    ),
    "long-sentence": Kind(
        _N,
        "Sentences of more than 100 words",
        "Split them, or raise data.max_length: training drops pairs of more tokens.",
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
