"""A page on which people rate pictures, blind and in random order.

Mean opinion scores as in Ledig et al. 2016, https://arxiv.org/abs/1609.04802, section 3.5: every
method's version of every picture gets 1 (bad) to 5 (excellent). The page knows pictures by random
names alone; a second file, the key, says which method each is of.
"""

import base64
import json
import pathlib
import secrets
from collections.abc import Mapping, Sequence
from html import escape

from jaxvision.check.page import page
from jaxvision.data.files import write_whole
from jaxvision.data.image import encode_image, read_image
from jaxvision.data.readers.checks import IMAGE_SUFFIXES

SCORES = {1: "bad", 2: "poor", 3: "fair", 4: "good", 5: "excellent"}

_STYLE = """
#picture { max-height: 70vh; image-rendering: auto; margin: 0 auto; border: 0; }
.stage { background: #777; padding: 1rem; border-radius: .3rem; min-height: 12rem; }
.scores { display: flex; gap: .5rem; flex-wrap: wrap; margin: 1rem 0; }
.scores button { flex: 1; min-width: 7rem; padding: .7rem; font: inherit; cursor: pointer;
  color: var(--fg); background: var(--card); border: 1px solid var(--line); border-radius: .3rem; }
.scores button.chosen { border-color: var(--bar); outline: 2px solid var(--bar); }
.scores button:disabled { cursor: default; opacity: .4; }
"""
_SCRIPT = """
const pictures = JSON.parse(document.getElementById("pictures").textContent);
const sheet = document.body.dataset.sheet, place = "opinions " + sheet;
function shuffled(names) {
  for (let i = names.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [names[i], names[j]] = [names[j], names[i]];
  }
  return names;
}
function remembered() {
  try {
    const kept = JSON.parse(localStorage.getItem(place));
    if (kept && kept.order.length === Object.keys(pictures).length) return kept;
  } catch (error) { /* a page from a file may have no storage: begin anew */ }
  return { order: shuffled(Object.keys(pictures)), votes: {}, at: 0 };
}
const state = remembered();
const $ = id => document.getElementById(id);
function show() {
  const count = state.order.length, done = Object.keys(state.votes).length;
  const name = state.order[state.at];
  $("picture").src = pictures[name];
  $("progress").textContent = `Picture ${state.at + 1} of ${count}, ${done} rated`;
  $("back").disabled = state.at === 0;
  $("save").disabled = done < count;
  for (const button of document.querySelectorAll("[data-score]"))
    button.classList.toggle("chosen", Number(button.dataset.score) === state.votes[name]);
  try { localStorage.setItem(place, JSON.stringify(state)); } catch (error) { /* as above */ }
}
function rate(score) {
  state.votes[state.order[state.at]] = score;
  if (state.at < state.order.length - 1) state.at++;
  show();
}
function written() { return JSON.stringify({ sheet, votes: state.votes }, null, 1) + "\\n"; }
function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([written()], { type: "application/json" }));
  link.download = `votes_${sheet}_${Date.now()}.json`;
  link.click();
}
for (const button of document.querySelectorAll("[data-score]"))
  button.onclick = () => rate(Number(button.dataset.score));
$("back").onclick = () => { state.at--; show(); };
$("save").onclick = save;
document.onkeydown = event => {
  if (event.key >= "1" && event.key <= "5") rate(Number(event.key));
  if (event.key === "ArrowLeft" && state.at > 0) { state.at--; show(); }
};
show();
"""


def write_sheet(
    methods: Mapping[str, pathlib.Path], file: pathlib.Path
) -> tuple[pathlib.Path, int]:
    """Writes the page and, beside it, the key.

    Args:
        methods: Folder of each method's pictures, by its name; all hold the same file names.
        file: The page, `.html`.

    Returns:
        The key, and the number of pictures to rate.

    Raises:
        ValueError: If the folders do not hold the same pictures, or the file has another ending.
        DataError: If a picture cannot be read.
    """
    if file.suffix.lower() != ".html":
        raise ValueError(f"--out must end in .html, got {file}")
    if len(methods) < 2:
        raise ValueError(f"expected folders of two methods or more, got {', '.join(methods)}")
    names = _common(methods)
    pictures, key = {}, {}
    for method, folder in methods.items():
        for name in names:
            found = next(folder.glob(f"{_literal(name)}.*"))
            own = secrets.token_hex(6)
            data = base64.b64encode(encode_image(read_image(str(found)), ".png")).decode()
            pictures[own] = f"data:image/png;base64,{data}"
            key[own] = {"method": method, "picture": name}
    # In the order of their random names, so that the source of the page says nothing either.
    ordered = {name: pictures[name] for name in sorted(pictures)}
    sheet = secrets.token_hex(4)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, _page(ordered, sheet))
    beside = file.with_suffix(".key.json")
    write_whole(beside, json.dumps({"sheet": sheet, "pictures": key}, indent=1) + "\n")
    return beside, len(pictures)


def _common(methods: Mapping[str, pathlib.Path]) -> list[str]:
    """Returns the names without endings that all folders have."""
    found: dict[str, list[str]] = {}
    for method, folder in methods.items():
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder of pictures, for the method {method}")
        files = [f.stem for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES]
        found[method] = sorted(files)
    first, *others = found
    for other in others:
        if found[other] != found[first]:
            apart = sorted(set(found[other]) ^ set(found[first])) or ["names that come twice"]
            raise ValueError(
                f"{first} and {other} must hold the same pictures, they differ in {apart[0]}"
            )
    if not found[first]:
        raise ValueError(f"{methods[first]} holds no picture ({', '.join(IMAGE_SUFFIXES)})")
    return found[first]


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _page(pictures: Mapping[str, str], sheet: str) -> str:
    buttons = "".join(
        f'<button data-score="{score}">{score} {word}</button>' for score, word in SCORES.items()
    )
    parts: Sequence[str] = (
        f"<style>{_STYLE}</style>",
        "<h1>How good is this picture?</h1>",
        '<p class="soft">Rate each picture by itself, with the buttons or the keys 1 to 5. At the '
        "end, save your votes and send the file back.</p>",
        '<p id="progress"></p>',
        '<div class="stage"><img id="picture" alt="the picture to rate"></div>',
        f'<div class="scores">{buttons}</div>',
        '<div class="scores"><button id="back">back</button>'
        '<button id="save">save the votes</button></div>',
        f'<script type="application/json" id="pictures">{json.dumps(pictures)}</script>',
        f"<script>{_SCRIPT}</script>",
    )
    whole = page("How good is this picture?", parts)
    return whole.replace("<body>", f'<body data-sheet="{escape(sheet)}">', 1)
