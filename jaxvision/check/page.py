"""The look of all reports: one page without scripts, fonts or anything else from elsewhere."""

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --bg: #fff; --fg: #1b1b1f; --soft: #5c5c66; --line: #d9d9df;
  --card: #f6f6f8; --bar: #3572b0; --error: #b3261e; --warning: #8a5a00; --note: #3d5a80;
  --c0: #c41e32; --c1: #146ebe; --c2: #b07800; --c3: #148750; --c4: #9637b4; --c5: #cd550a;
  --c6: #008287; --c7: #cd3282; --c8: #5f8714; --c9: #5050dc; --c10: #8c5a32; --c11: #006e55; }
@media (prefers-color-scheme: dark) { :root { --bg: #17171a; --fg: #e8e8ec; --soft: #a3a3ad;
  --line: #36363d; --card: #202025; --bar: #6aa5dd; --error: #ff8a80; --warning: #e7b04c;
  --note: #9dbde3;
  --c0: #e63946; --c1: #2a9df4; --c2: #ffb703; --c3: #2ec478; --c4: #ba55d3; --c5: #ff7828;
  --c6: #00c8c8; --c7: #ff69b4; --c8: #9acd32; --c9: #6e6ef5; --c10: #be8250; --c11: #008c6e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1rem 4rem; background: var(--bg);
  color: var(--fg); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { margin: .25rem 0 .5rem; }
.soft, .advice { color: var(--soft); }
.verdict { font-weight: 600; border-left: .3rem solid var(--note); padding: .4rem .8rem;
  background: var(--card); margin: 1rem 0; }
.verdict.bad { border-color: var(--error); }
.finding { border: 1px solid var(--line); border-left: .3rem solid var(--note);
  border-radius: .3rem; margin: .6rem 0; padding: .6rem .9rem; background: var(--card); }
.finding.error { border-left-color: var(--error); }
.finding.warning { border-left-color: var(--warning); }
.finding h3 { margin: 0; }
.severity { color: var(--note); text-transform: uppercase; font-size: .75rem;
  letter-spacing: .04em; margin-right: .5rem; }
.error .severity { color: var(--error); } .warning .severity { color: var(--warning); }
code { font: .85em ui-monospace, monospace; }
.advice code { white-space: nowrap; }
details ul { margin: .25rem 0; padding-left: 1.2rem; font-size: .875rem; }
summary { cursor: pointer; color: var(--soft); font-size: .875rem; }
.scroll { overflow-x: auto; }
.scroll + .scroll { margin-top: 1rem; }
table { border-collapse: collapse; font-size: .9rem; min-width: 100%; }
th, td { text-align: right; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th { font-weight: 600; color: var(--soft); }
th:first-child, td:first-child { text-align: left; }
td.name { max-width: 16rem; overflow: hidden; text-overflow: ellipsis; }
td.bar { min-width: 7rem; width: 35%; padding-right: 0; }
td.bar span { display: block; height: .8rem; background: var(--bar); border-radius: .15rem; }
.charts { display: grid; gap: 0 2.5rem; grid-template-columns: repeat(auto-fit,
  minmax(min(100%, 19rem), 1fr)); }
img { max-width: 100%; height: auto; display: block; border: 1px solid var(--line); }
img.small { width: 12rem; image-rendering: pixelated; }
figure { margin: 0 0 .75rem; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .25rem; }
.cells { display: grid; gap: .75rem 1.5rem; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
.chart { max-width: 100%; min-width: 34rem; height: auto; display: block; }
.chart image { image-rendering: pixelated; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """Puts the parts of a page, HTML, below each other; empty ones are left out."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(filter(None, parts))
        + "\n</body></html>\n"
    )


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], bars: Sequence[float] | None = None
) -> str:
    """Writes a table that can scroll; `bars`, in [0, 1], become its last column."""
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    for i, row in enumerate(rows):
        cells = f'<td class="name">{escape(row[0])}</td>'
        cells += "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        if bars is not None:
            width = f"{100 * bars[i]:.1f}%"
            cells += f'<td class="bar"><span style="width:{width}"></span></td>'
        lines.append(f"<tr>{cells}</tr>")
    return '<div class="scroll"><table>' + "\n".join(lines) + "</table></div>"
