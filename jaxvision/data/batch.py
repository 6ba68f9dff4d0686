"""What a batch holds, one `TypedDict` a task: keys, shapes, dtypes, units and the padding rule."""

from typing import NotRequired, TypedDict

import numpy as np


class DetectionBatch(TypedDict):
    """A batch of images with their objects, on the host.

    Objects are padded to N with zeros and `valid` False; the order of an image's objects has no
    meaning.

    Attributes:
        image: Letterboxed RGB images [B, H, W, 3] uint8.
        boxes: xyxy in pixels of `image` [B, N, 4] float32.
        classes: Class of each object [B, N] int32, in [0, K).
        valid: False for padding objects [B, N] bool.
        index: Which image of its source each one is [B] int32; `source.name(index)` names it.
        scale: Pixels of `image` per pixel of the original [B] float32. Evaluation only, as
            the rest.
        crowd: Objects that the metric ignores and no detection has to find [B, N] bool.
        area: Object areas in original pixels [B, N] float32; of the mask where the data has one, as
            COCO's small, medium and large are by mask.
        mask: False for images that only fill up the last batch [B] bool.
    """

    image: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    valid: np.ndarray
    index: np.ndarray
    scale: NotRequired[np.ndarray]
    crowd: NotRequired[np.ndarray]
    area: NotRequired[np.ndarray]
    mask: NotRequired[np.ndarray]


class ClassificationBatch(TypedDict):
    """A batch of images with their classes, on the host: `label` or `targets`.

    Attributes:
        image: RGB images [B, H, W, 3] uint8.
        label: Class of each image [B] int32, in [0, K), where it has exactly one.
        targets: 1 for every class that an image shows, else 0 [B, K] float32, where it may have
            several or none.
        index: Which image of its source each one is [B] int32; `source.name(index)` names it.
        mask: False for images that only fill up the last batch [B] bool. Evaluation only.
    """

    image: np.ndarray
    label: NotRequired[np.ndarray]
    targets: NotRequired[np.ndarray]
    index: np.ndarray
    mask: NotRequired[np.ndarray]


class TranslationBatch(TypedDict):
    """Sentences and their translations, on the host: one pair a row or, packed, several.

    Sentences end with `END` of `jaxvision.data.text.tokenizer`, and rows are padded with its `PAD`;
    S is one of a few lengths, as is T. In packed batches, of training alone, the sentences of a row
    follow one another, its P pairs at most in the same order in source and target.

    Attributes:
        source: Tokens to translate [B, S] int32.
        target: Tokens of the translations [B, T] int32; all padding in rows that only fill up a
            batch of training.
        index: Which pair of its source each one is [B] int32, or packed [B, P]; -1 for rows that
            only fill up and after the last of a row.
        source_segments: Which pair of its row each token of `source` is of, from 1; 0 for padding
            [B, S] int32. Packed only.
        target_segments: The same for `target` [B, T] int32. Packed only.
        mask: False for rows that only fill up a batch of evaluation [B] bool. There alone.
    """

    source: np.ndarray
    target: np.ndarray
    index: np.ndarray
    source_segments: NotRequired[np.ndarray]
    target_segments: NotRequired[np.ndarray]
    mask: NotRequired[np.ndarray]
