import json
import math

import cv2
import numpy as np
import pytest
from browser import browser, needs_chromium

from jaxvision.cli.main import main
from jaxvision.inference.opinions.sheet import write_sheet
from jaxvision.inference.opinions.votes import average, half_width


@pytest.fixture
def sheet(tmp_path):
    """A page of two methods' versions of two pictures, and its key."""
    for method, level in (("bicubic", 60), ("ours", 200)):
        (tmp_path / method).mkdir()
        for name in ("bird", "head"):
            image = np.full((40, 50, 3), level + len(name), np.uint8)
            cv2.imwrite(str(tmp_path / method / f"{name}.png"), image)
    file = tmp_path / "sheet.html"
    key, count = write_sheet({m: tmp_path / m for m in ("bicubic", "ours")}, file)
    assert count == 4
    return file, key


def voted(file, key, score_of):
    """Writes the votes of a person who gives each method a score."""
    known = json.loads(key.read_text())
    votes = {name: score_of[x["method"]] for name, x in known["pictures"].items()}
    file.write_text(json.dumps({"sheet": known["sheet"], "votes": votes}))
    return file


def test_the_page_does_not_say_which_method_a_picture_is_of(sheet):
    file, key = sheet
    text = file.read_text()
    assert "bicubic" not in text and "ours" not in text and "bird" not in text
    assert text.count("data:image/png") == 4
    assert "ours" in key.read_text()


def test_votes_are_averaged_with_confidence_intervals(sheet, tmp_path, capsys):
    _, key = sheet
    one = voted(tmp_path / "1.json", key, {"bicubic": 2, "ours": 4})
    two = voted(tmp_path / "2.json", key, {"bicubic": 3, "ours": 5})
    best, worst = average(key, [one, two])
    assert (best.method, best.mean, best.votes) == ("ours", 4.5, 4)
    # t of three degrees of freedom times s / sqrt(n): s^2 = 1 / 3.
    assert best.half_width == pytest.approx(3.182 * math.sqrt(1 / 3) / 2)
    assert worst.mean == 2.5
    assert main(["opinions", "count", str(key), str(one), str(two)]) == 0
    assert "ours      4.50" in capsys.readouterr().out
    assert math.isnan(half_width([3])) and half_width([3, 3, 3]) == 0


def test_files_of_another_sheet_are_errors(sheet, tmp_path):
    _, key = sheet
    good = voted(tmp_path / "1.json", key, {"bicubic": 2, "ours": 4})
    for content, message in (
        ('{"sheet": "other", "votes": {}}', "is of another sheet"),
        ("[]", "it has no votes"),
        ("not json", "is no file of an opinion sheet"),
        (good.read_text().replace(": 4", ": 6"), "expected scores 1 to 5"),
    ):
        (tmp_path / "2.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            average(key, [good, tmp_path / "2.json"])
    (tmp_path / "ours" / "more.png").write_bytes(b"")
    folders = {m: tmp_path / m for m in ("bicubic", "ours")}
    with pytest.raises(ValueError, match="must hold the same pictures, they differ in more"):
        write_sheet(folders, tmp_path / "sheet.html")
    with pytest.raises(ValueError, match="must end in .html"):
        write_sheet(folders, tmp_path / "sheet.txt")


@pytest.mark.slow
@needs_chromium
def test_a_person_rates_every_picture_and_saves_the_votes(sheet, tmp_path):
    file, key = sheet
    with browser() as page:
        page.open(file.as_uri())
        seen = []
        for number in range(4):
            assert page.value("document.getElementById('save').disabled")
            assert f"Picture {number + 1} of 4" in page.value("$('progress').textContent")
            seen.append(page.value("state.order[state.at]"))
            if number % 2:
                page.value("document.querySelector('[data-score=\"4\"]').click()")
            else:
                page.value("document.dispatchEvent(new KeyboardEvent('keydown', {key: '2'}))")
        page.screenshot(tmp_path / "page.png", whole=True)
        assert len(set(seen)) == 4
        page.open(file.as_uri())  # nothing is lost
        assert not page.value("document.getElementById('save').disabled")
        (tmp_path / "votes.json").write_text(page.value("written()"))
        assert not page.errors
    found = average(key, [tmp_path / "votes.json"])
    assert sum(opinion.votes for opinion in found) == 4
    assert {x for x in json.loads((tmp_path / "votes.json").read_text())["votes"].values()} == {
        2,
        4,
    }
