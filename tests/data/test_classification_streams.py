import cv2
import numpy as np
import pytest

from jaxvision.data.augment.center_crop import CenterCrop
from jaxvision.data.augment.pad_crop import PadCrop
from jaxvision.data.classification_streams import classification_streams
from jaxvision.data.errors import DataError


def make(folder, **splits):
    for split, classes in splits.items():
        for label, count in classes.items():
            (folder / split / label).mkdir(parents=True)
            for i in range(count):
                cv2.imwrite(
                    str(folder / split / label / f"{i}.png"), np.full((8, 8, 3), i, np.uint8)
                )


def opened(folder, **changes):
    options = dict(
        crop=PadCrop((8, 8), 0), flip=0.0, center=CenterCrop((8, 8)), batch_size=4, seed=0
    )
    return classification_streams(
        "image_folder", str(folder), "train", "val", num_workers=0, **(options | changes)
    )


def test_both_splits_have_the_classes_of_the_training_split(tmp_path):
    make(tmp_path, train={"ant": 3, "bee": 6}, val={"bee": 3})
    streams = opened(tmp_path)
    assert streams.classes == ("ant", "bee") and not streams.several_labels
    assert streams.train.steps_per_epoch == 2 and len(streams.val) == 1
    assert next(streams.train.batches(0))["image"].shape == (4, 8, 8, 3)
    (batch,) = streams.val
    assert batch["label"].tolist() == [1, 1, 1, 0]
    assert batch["mask"].tolist() == [True, True, True, False]
    assert streams.image_name(0).endswith("ant/0.png")
    assert f"{tmp_path}/train: 9 images" in streams.description
    assert f"{tmp_path}/val: 3 images" in streams.description


def test_class_that_only_the_other_split_has_is_an_error(tmp_path):
    make(tmp_path, train={"ant": 4, "bee": 4}, val={"cat": 1})
    with pytest.raises(DataError, match="cat"):
        opened(tmp_path)


def test_repeats_reach_the_training_stream(tmp_path):
    make(tmp_path, train={"ant": 4, "bee": 4}, val={"bee": 1})
    batch = next(opened(tmp_path, repeats=2).train.batches(0))
    assert len(set(batch["index"].tolist())) == 2
