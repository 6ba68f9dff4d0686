"""The batches of each task as a `TypedDict`: keys, shapes, dtypes, units and the padding rule."""

from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np


class MaskTruth(NamedTuple):
    """The masks of one image's objects, in the order of the batch.

    Attributes:
        size: Height and width of the original image in pixels.
        runs: Run lengths of each object, as COCO writes them: {size, counts}.
    """

    size: tuple[int, int]
    runs: tuple[dict[str, Any], ...]


class DetectionBatch(TypedDict):
    """A batch of images with their objects, on the host.

    Objects are padded to N with zeros and `valid` False; the order of an image's objects has no
    meaning.

    Attributes:
        image: Letterboxed RGB images [B, H, W, 3] uint8.
        boxes: xyxy in pixels of `image` [B, N, 4] float32.
        classes: Class of each object [B, N] int32, in [0, K).
        valid: False for padding objects [B, N] bool.
        index: Number of each image in its source [B] int32; `source.name(index)` names it.
        scale: Pixels of `image` per pixel of the original [B] float32. Evaluation only, like all
            that follow.
        crowd: Objects that the metric ignores: detections of them do not count [B, N] bool.
        area: Object areas in original pixels [B, N] float32: of the mask where the data has one,
            since COCO's small, medium and large refer to masks.
        mask: False for rows of padding and images that cannot be read [B] bool.
        proposals: Regions of interest, xyxy in pixels of `image` [B, P, 4] float32; only for
            detectors that do not propose their own.
        proposal_valid: False for padding among them [B, P] bool.
        masks: Pixels of each object at the size of `image` [B, N, H, W] bool; only for detectors
            that draw them, in training.
        truth: The masks of the objects at the size of the original images, B of them; only for
            these, in evaluation.
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
    proposals: NotRequired[np.ndarray]
    proposal_valid: NotRequired[np.ndarray]
    masks: NotRequired[np.ndarray]
    truth: NotRequired[list[MaskTruth]]


class ClassificationBatch(TypedDict):
    """A batch of images with their classes, on the host: `label` or `targets`.

    Attributes:
        image: RGB images [B, H, W, 3] uint8.
        label: Class of each image [B] int32, in [0, K), where it has exactly one.
        targets: 1 for every class in an image, else 0 [B, K] float32, where an image may have
            several classes or none.
        index: Number of each image in its source [B] int32; `source.name(index)` names it.
        mask: False for rows of padding and images that cannot be read [B] bool. Evaluation only.
    """

    image: np.ndarray
    label: NotRequired[np.ndarray]
    targets: NotRequired[np.ndarray]
    index: np.ndarray
    mask: NotRequired[np.ndarray]


class TranslationBatch(TypedDict):
    """Sentences and their translations, on the host: one pair a row or, packed, several.

    Sentences end with `END` of `jaxvision.data.text.tokenizer`, and rows are padded with its `PAD`;
    S and T are one of a few lengths. In packed batches, used in training only, the sentences of a
    row follow one another, its at most P pairs in the same order in source and target.

    Attributes:
        source: Tokens to translate [B, S] int32.
        target: Tokens of the translations [B, T] int32.
        index: Number of each pair in its source [B] int32, or packed [B, P]; in training -1 for
            rows of padding and after the last pair of a packed row.
        source_segments: Pair of its row that each token of `source` belongs to, numbered from 1; 0
            for padding [B, S] int32. Packed only.
        target_segments: The same for `target` [B, T] int32. Packed only.
        mask: False for rows of padding [B] bool. Evaluation only.
        truth: The translations as text, B strings; None in rows of padding. Evaluation only.
    """

    source: np.ndarray
    target: np.ndarray
    index: np.ndarray
    source_segments: NotRequired[np.ndarray]
    target_segments: NotRequired[np.ndarray]
    mask: NotRequired[np.ndarray]
    truth: NotRequired[list[str | None]]


class SegmentationBatch(TypedDict):
    """A batch of images with a class for every pixel, on the host.

    Attributes:
        image: RGB images [B, H, W, 3] uint8.
        label_map: Class of each pixel [B, H, W] int32, in [0, K), or `VOID` for none: neither the
            loss nor the metric counts it.
        pixel_weights: Factor of each pixel's loss [B, H, W] float32. Training only, and only where
            the borders between objects are to count more.
        index: Number of each image in its source [B] int32; `source.name(index)` names it.
        mask: False for rows of padding and images that cannot be read [B] bool. Evaluation only.
        truth: The label maps at the images' own sizes, B of them [H', W']; None in rows of padding.
            Evaluation only, and only where it is measured at these sizes.
    """

    image: np.ndarray
    label_map: np.ndarray
    pixel_weights: NotRequired[np.ndarray]
    index: np.ndarray
    mask: NotRequired[np.ndarray]
    truth: NotRequired[list[np.ndarray | None]]


class SuperResolutionBatch(TypedDict):
    """Pictures of low resolution and the pictures to be restored, on the host.

    Evaluation batches hold one picture of its own size.

    Attributes:
        image: Pictures of low resolution, RGB [B, H, W, 3] in [0, 255], uint8 or, not rounded,
            float32. In training of a network that takes interpolated pictures, these [B, s * H,
            s * W, C] float32, of C = 1 channel Y alone.
        target: The pictures, RGB [B, s * H, s * W, 3] uint8.
        index: Number of each picture in its source [B] int32; `source.name(index)` names it.
        truth: Name of the set that each picture is of, B strings, `""` for the only one.
            Evaluation only.
        mask: False for pictures that cannot be read [B] bool. Evaluation only.
    """

    image: np.ndarray
    target: np.ndarray
    index: np.ndarray
    truth: NotRequired[list[str]]
    mask: NotRequired[np.ndarray]


class GenerationBatch(TypedDict):
    """A batch of images to learn to make, or rows that ask for as many images, on the host.

    Attributes:
        image: RGB images [B, H, W, 3] uint8; absent where images are asked for.
        label: Class of each image [B] int32, in [0, K).
        index: Number of each image in its source [B] int32; where images are asked for, what the
            noise of each is drawn by.
        mask: False for rows of padding and images that cannot be read [B] bool. Evaluation only.
    """

    image: NotRequired[np.ndarray]
    label: np.ndarray
    index: np.ndarray
    mask: NotRequired[np.ndarray]


class NodeBatch(TypedDict):
    """All nodes of one split of a graph; no array has an axis that devices cut.

    Attributes:
        nodes: Their numbers [n] int32.
        mask: True [1] bool. Evaluation only.
        rows: Node of each feature that is not 0 [M] int32. It and what follows are of the graph, in
            each batch or constants of the run.
        columns: Number of the feature [M] int32.
        values: Its value [M] float32.
        edges: Pairs (from, to), each edge both ways [E, 2] int32.
        labels: Class of each node [N] int32, in [0, K), or -1 for none.
    """

    nodes: np.ndarray
    mask: NotRequired[np.ndarray]
    rows: NotRequired[np.ndarray]
    columns: NotRequired[np.ndarray]
    values: NotRequired[np.ndarray]
    edges: NotRequired[np.ndarray]
    labels: NotRequired[np.ndarray]


class WordBatch(TypedDict):
    """Blocks of a text whose windows are learned; no array has an axis that devices cut.

    Attributes:
        tokens: Words [B, S] int32, -1 at the ends of sentences and for nothing; those in the middle
            are the centres, the others in reach of them.
        documents: Document of each token [B, S] int32, -1 for nothing; for PV-DM and PV-DBOW.
        share: Alias table of the noise words [V] float32; it and what follows are constants of a
            run, and part of evaluation batches.
        other: The table's second values [V] int32.
        tree_nodes: Ways through Huffman's tree [V, P] int32, in place of the alias table.
        tree_codes: Their codes [V, P] int32.
    """

    tokens: np.ndarray
    documents: NotRequired[np.ndarray]
    share: NotRequired[np.ndarray]
    other: NotRequired[np.ndarray]
    tree_nodes: NotRequired[np.ndarray]
    tree_codes: NotRequired[np.ndarray]


class TextBatch(TypedDict):
    """A batch of texts with their classes, on the host.

    Attributes:
        tokens: Tokens of each text, then zeros [B, T] int32; T is one of a few lengths.
        length: How many tokens each text has [B] int32.
        label: Class of each [B] int32, in [0, K).
        index: Number of each text in its split [B] int32.
        mask: False for rows of padding [B] bool. Evaluation only.
    """

    tokens: np.ndarray
    length: np.ndarray
    label: np.ndarray
    index: np.ndarray
    mask: NotRequired[np.ndarray]


class LanguageBatch(TypedDict):
    """Parts of a text, on the host.

    Attributes:
        inputs: Tokens [B, T] int32; of evaluation, what precedes the first target comes before.
        targets: The token that follows each [B, T] int32.
        index: Where each row starts in the text, or the number of its lane [B] int32.
        first: Whether a row is the first of its lane, which nothing precedes [B] bool. Training
            only.
        valid: False for padding at the end of the text [B, T] bool. Evaluation only, as `mask`.
        mask: False for rows of padding [B] bool.
    """

    inputs: np.ndarray
    targets: np.ndarray
    index: np.ndarray
    first: NotRequired[np.ndarray]
    valid: NotRequired[np.ndarray]
    mask: NotRequired[np.ndarray]
