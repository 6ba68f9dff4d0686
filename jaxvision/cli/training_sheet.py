"""Pictures of training examples: with boxes as the network gets them, or with their classes."""

import cv2
import numpy as np

from jaxvision.data.augment.letterbox import Fit, Letterbox
from jaxvision.data.detection_examples import detection_train_example
from jaxvision.data.source import Source
from jaxvision.plots.detections import draw_detections
from jaxvision.plots.segmentation import legend, overlay
from jaxvision.plots.sheet import captioned, contact_sheet

_CELL = 480
_COLUMNS = 4


def training_sheet(
    source: Source, *, samples: int, image_size: int, max_objects: int, seed: int
) -> np.ndarray:
    """Draws training samples of a source.

    Args:
        source: Images that can all be read.
        samples: How many: the first half letterboxed only; the rest with mosaic,
            rotation, scale, mixup, colour and mirror image, at the settings of the larger YOLOX.
        image_size: Side of the network's input in pixels.
        max_objects: Objects an image.
        seed: Chooses the images and augments them.

    Returns:
        RGB [H, W, 3] uint8.
    """
    rng = np.random.default_rng(seed)
    size = (image_size, image_size)
    letterboxed = detection_train_example(source, size, max_objects, flip=0.0, hsv=0.0)
    augmented = detection_train_example(source, size, max_objects, mosaic=1.0, mixup=1.0)
    # Every image is shown once before one is repeated.
    order = np.concatenate(
        [rng.permutation(len(source)) for _ in range(-(-samples // len(source)))]
    )
    cells = []
    for number, index in enumerate(order[:samples].tolist()):
        no_aug = number < -(-samples // 2)
        sample = (letterboxed if no_aug else augmented)(index, rng)
        valid = sample["valid"]
        factor = _CELL / image_size
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        image = cv2.resize(sample["image"], (_CELL, _CELL), interpolation=method)
        boxes, classes = sample["boxes"][valid] * factor, sample["classes"][valid]
        canvas = draw_detections(image, boxes, classes, None, source.classes)
        name = source.name(index).rpartition("/")[2]
        count = f"{len(boxes)} object{'' if len(boxes) == 1 else 's'}"
        kind = "letterboxed" if no_aug else "augmented, starting with"
        cells.append(captioned(canvas, f"#{number + 1}", f"{kind} {name}, {count}"))
    return contact_sheet(cells, min(_COLUMNS, len(cells)))


def class_sheet(source: Source, *, samples: int, seed: int) -> np.ndarray:
    """Draws samples of images that have a class, whole, with its name.

    Args:
        source: Images that can all be read.
        samples: How many, at most.
        seed: Chooses the images.

    Returns:
        RGB [H, W, 3] uint8.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(source))[:samples]
    fit = Letterbox((_CELL // 2, _CELL // 2))
    cells = []
    for index in order.tolist():
        sample = fit(source[index], rng)
        name = source.classes[int(np.asarray(sample.label))]
        cells.append(captioned(sample.image, name, source.name(index).rpartition("/")[2]))
    return contact_sheet(cells, min(2 * _COLUMNS, len(cells)))


def label_map_sheet(source: Source, *, samples: int, seed: int) -> np.ndarray:
    """Draws samples of images that have a label map, with the classes painted over them.

    Args:
        source: Images that can all be read.
        samples: How many, at most.
        seed: Chooses the images.

    Returns:
        RGB [H, W, 3] uint8.
    """
    rng = np.random.default_rng(seed)
    fit = Fit((_CELL, _CELL))
    cells = []
    for index in rng.permutation(len(source))[:samples].tolist():
        sample = fit(source[index], rng)
        name = source.name(index).rpartition("/")[2]
        painted = overlay(sample.image, np.asarray(sample.mask), source.classes)
        cells.append(captioned(painted, f"#{index + 1}", name))
    sheet = contact_sheet(cells, min(_COLUMNS, len(cells)))
    return np.concatenate(
        [legend(source.classes, range(len(source.classes)), sheet.shape[1]), sheet]
    )
