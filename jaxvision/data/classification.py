"""Opens classification datasets by the name of their format."""

from collections.abc import Callable
from typing import Any

from jaxvision.data.detection import detection_source
from jaxvision.data.errors import DataError
from jaxvision.data.readers.cifar import cifar10, cifar100
from jaxvision.data.readers.image_folder import image_folder
from jaxvision.data.readers.mnist import fashion_mnist, mnist
from jaxvision.data.readers.named import open_named
from jaxvision.data.readers.tfds import labelled_records
from jaxvision.data.readers.video_folder import video_folder
from jaxvision.data.source import Source
from jaxvision.data.sources.cached import cached
from jaxvision.data.sources.digits import Digits
from jaxvision.data.sources.drawn import check_no_path
from jaxvision.data.sources.motions import Motions
from jaxvision.data.sources.multi_label import MultiLabelView
from jaxvision.data.sources.packed import packed

READERS: dict[str, Callable[..., Source]] = {
    "image_folder": image_folder,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "packed": packed,
    "video_folder": video_folder,
}


# Sources that are drawn.
DRAWN = ("digits", "motions")
# Sources of clips, which take a number of frames; theirs where none is given.
CLIPS = {"motions": 8, "video_folder": 16}


def is_classification(source: str) -> bool:
    """Says whether a format is one of `classification_source` and not of `detection_source`."""
    own = {"digits", "motions", *READERS} - {"packed"}
    return source in own or source.startswith("objects:")


def classification_source(
    source: str,
    path: str | None,
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    cache_bytes: int = 0,
    frames: int = 0,
    **options: Any,
) -> Source:
    """Opens one split of a classification dataset.

    Args:
        source: `digits`, `image_folder`, `cifar10`, `cifar100`, `mnist`, `fashion_mnist`,
            `packed`, `tfds:<name>`, as `tfds:oxford_flowers102`, or `objects:<detection source>`,
            as `objects:voc`, which labels an image with all the classes of its objects; of clips
            `motions` and `video_folder`.
        path: Folder of the dataset; None or empty for `digits` and `objects:shapes`.
        split: Name of the split, as the format has it; see the readers.
        classes: The classes to use, in order: those of the training split when reading another one,
            so that a name means the same in both. An image of any other class is an error. By
            default the dataset's own.
        cache_bytes: Up to this many bytes of decoded images are kept in memory; 50,000 of 32 x 32
            pixels take 154 MB.
        frames: Frames of a clip, for the sources of clips; 0: as the source has them.
        **options: Further options of a source: `length`, `image_size` and `seed` of digits.

    Returns:
        The examples, checked as far as that goes without reading the images.

    Raises:
        DataError: If the dataset has a fault.
        ValueError: If `source` is unknown, or `cache_bytes` is negative.
    """
    kind, _, name = source.partition(":")
    options["classes"] = classes
    if source in CLIPS:
        options["frames"] = frames or CLIPS[source]
    if source in DRAWN:
        check_no_path(source, path)
    if source == "motions":
        opened: Source = Motions(split=split, **options)
    elif source == "digits":
        opened = Digits(split=split, **options)
    elif kind == "objects" and name:
        opened = MultiLabelView(detection_source(name, path, split, **options))
    else:
        others = dict(first=DRAWN, last=("objects:<detection source>",))
        opened = open_named(source, path, split, READERS, labelled_records, **others, **options)
    if opened.labels is None:
        raise DataError(f"{path}: the split {split} has no labels; pack a classification dataset")
    return cached(opened, cache_bytes)
