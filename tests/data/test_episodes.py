"""Episodes of a few classes, and the characters that they are drawn from."""

import pathlib
import zipfile

import cv2
import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.plans.episodes import Episode, Episodes
from jaxvision.data.readers.omniglot import omniglot
from jaxvision.data.sources.glyphs import Glyphs
from jaxvision.data.sources.turned import Turned

LABELS = np.array([2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
OMNIGLOT = pathlib.Path(__file__).parents[3] / "shared" / "data" / "omniglot"


def rng():
    return np.random.default_rng(3)


def test_supports_come_first_class_by_class():
    plan = Episodes(LABELS, Episode(way=2, shot=1, query=2), batches=4, batch_size=3)
    batches = plan(0, rng())
    assert batches.shape == (4, 18)
    for rows in batches.reshape(12, 6):
        assert len(set(rows)) == 6
        support, queries = LABELS[rows[:2]], LABELS[rows[2:]]
        assert support[0] != support[1]
        np.testing.assert_array_equal(queries, np.repeat(support, 2))
    np.testing.assert_array_equal(plan(0, rng()), batches)
    assert (plan(1, np.random.default_rng(4)) != batches).any()


def test_every_class_and_image_is_drawn():
    plan = Episodes(LABELS, Episode(2, 1, 1), batches=60, batch_size=1)
    assert set(plan(0, rng()).ravel()) == set(range(10))


@pytest.mark.parametrize(
    ("episode", "error", "message"),
    [
        (Episode(4, 1, 1), DataError, "4 ways needs as many classes, and the split has 3"),
        (
            Episode(2, 2, 2),
            DataError,
            r"needs 2 \+ 2 images of each class, and class number 0 has 3",
        ),
        (Episode(1, 1, 1), ValueError, "way must be"),
        (Episode(2, 0, 1), ValueError, "shot must be"),
    ],
)
def test_episodes_that_cannot_be(episode, error, message):
    with pytest.raises(error, match=message):
        Episodes(LABELS, episode, batches=1, batch_size=1)


def test_drawings_of_a_character_are_alike_and_splits_differ():
    train, val = Glyphs(30, drawings=4), Glyphs(30, drawings=4, split="val")
    assert len(train) == 120 and not set(train.classes) & set(val.classes)
    np.testing.assert_array_equal(train[5].image, Glyphs(30, drawings=4)[5].image)

    def blurred(source, index):
        return cv2.GaussianBlur(source.image(index)[0][..., 0].astype(np.float32), (0, 0), 2)

    first = np.stack([blurred(train, 4 * k) for k in range(30)])
    second = np.stack([blurred(train, 4 * k + 1) for k in range(30)])
    others = np.stack([blurred(val, 4 * k) for k in range(30)])
    same, different = np.abs(first - second).mean(), np.abs(first - others).mean()
    assert same < 0.6 * different
    assert not np.array_equal(train[0].image, train[1].image)


def test_turned_images_are_further_classes():
    source = Glyphs(3, drawings=2)
    turned = Turned(source)
    assert (len(turned), len(turned.classes)) == (24, 12)
    sample = turned[6 + 5]
    assert (sample.label, turned.classes[sample.label]) == (3 + 2, "train2@90")
    np.testing.assert_array_equal(sample.image, np.rot90(source[5].image))
    with pytest.raises(IndexError):
        turned[24]


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "images_small.zip"
    with zipfile.ZipFile(path, "w") as file:
        for alphabet, count in (("Greek", 2), ("Latin", 1)):
            for k in range(count):
                for i in range(3):
                    pixels = np.full((20, 20), 255, np.uint8)
                    pixels[k] = 0
                    content = cv2.imencode(".png", pixels)[1].tobytes()
                    file.writestr(f"images/{alphabet}/character{k + 1:02}/{i}.png", content)
    return tmp_path


def test_omniglot_is_read_white_on_black(archive):
    source = omniglot(str(archive), without=("Latin",), side=20)
    assert source.classes == ("Greek/character01", "Greek/character02")
    assert source.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert source[3].image[:, :, 0].sum(axis=1).tolist() == [0, 20 * 255, *[0] * 18]
    latin = omniglot(str(archive / "images_small.zip"), ("Latin",), side=10)
    assert latin[2].image.shape == (10, 10, 3)


@pytest.mark.parametrize(
    ("path", "alphabets", "message"),
    [("", ("Thai",), "no alphabet Thai; it has Greek, Latin"), ("no", (), "expected an archive")],
)
def test_faults_of_omniglot(archive, path, alphabets, message):
    with pytest.raises(DataError, match=message):
        omniglot(str(archive / path), alphabets)


@pytest.mark.skipif(not OMNIGLOT.is_dir(), reason="needs Omniglot in shared/data")
def test_omniglot_itself():
    source = omniglot(str(OMNIGLOT), ("Latin",))
    assert (len(source), len(source.classes)) == (520, 26)
    assert 0.02 < source[0].image.mean() / 255 < 0.3
