"""The parts of a report, and how they become a page."""

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from jaxvision.check.page import page, table
from jaxvision.data.image import encode_image
from jaxvision.plots.svg import to_svg

# Pixels of the longer side below which an image is enlarged, pixel by pixel.
_SMALL = 128


class Table(NamedTuple):
    """Rows of text below a head; the first column holds names.

    Attributes:
        head: Names of the columns.
        rows: Cells.
        bars: A number in [0, 1] for each row, drawn at its end; None for none.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Sequence[float] | None = None


class Picture(NamedTuple):
    """An image with a line below it.

    Attributes:
        image: RGB [H, W, 3] uint8.
        caption: Says what it shows.
    """

    image: np.ndarray
    caption: str


class Pictures(NamedTuple):
    """Images beside each other, or beside a table, below a line.

    Attributes:
        caption: Says what they have in common.
        cells: What is shown from the left to the right; on a narrow window, downwards.
    """

    caption: str
    cells: Sequence[Picture | Table]


class Texts(NamedTuple):
    """Groups of lines, each with a label.

    Attributes:
        groups: Of (label, text).
    """

    groups: Sequence[Sequence[tuple[str, str]]]


# What a section is made of.
Part = Table | Figure | Picture | Pictures | Texts


class Section(NamedTuple):
    """A part of a report.

    Attributes:
        title: Its heading.
        note: Says how the numbers come about; may be empty.
        parts: Tables, charts, pictures and texts, one below the other.
    """

    title: str
    note: str
    parts: Sequence[Part]


class EvaluationReport(NamedTuple):
    """What an evaluation found.

    Attributes:
        headline: The most important numbers, in a line.
        values: All numbers, as JSON.
        sections: For the page, the first of which is also printed.
    """

    headline: str
    values: Mapping[str, Any]
    sections: Sequence[Section]


def as_html(report: EvaluationReport, title: str, subtitle: str) -> str:
    """Writes a report as one page, which needs no other file."""
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(subtitle)}</p>',
        f'<p class="verdict">{escape(report.headline)}</p>',
    ]
    for section in report.sections:
        parts += [f"<h2>{escape(section.title)}</h2>"]
        parts += [f'<p class="soft">{escape(section.note)}</p>'] if section.note else []
        parts += map(_part, section.parts)
    return page(title, parts)


def as_json(report: EvaluationReport, **more: Any) -> str:
    """Writes all numbers as JSON; those that are not defined become null."""
    return json.dumps(_finite({**more, **report.values}), ensure_ascii=False, indent=2) + "\n"


def as_text(table: Table) -> str:
    """Lays a table out for a terminal."""
    rows = [table.head, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.head))]
    return "\n".join(_text_line(row, widths) for row in rows)


def number(value: float, digits: int = 3) -> str:
    """Writes a number; one that is not defined as a dash."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def share(value: float) -> str:
    """Writes a share as a percentage; one that is not defined as a dash."""
    return "–" if math.isnan(value) else f"{value:.1%}"


def metrics_table(metrics: Mapping[str, float]) -> Table:
    """Lists those metrics that are not of a single class."""
    return Table(
        ("metric", "value"),
        [(name, number(value)) for name, value in metrics.items() if "/" not in name],
    )


def class_rows(
    metrics: Mapping[str, float], names: Sequence[str], columns: Sequence[str]
) -> Iterator[list[str]]:
    """Writes, for each class, the metrics `<column>/<class>`."""
    for name in names:
        yield [name, *(number(metrics.get(f"{c}/{name}", math.nan)) for c in columns)]


def _text_line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()


def _part(part: Part) -> str:
    if isinstance(part, Table):
        # The bars' own column has no name.
        head = part.head if part.bars is None else (*part.head, "")
        return table(head, part.rows, part.bars)
    if isinstance(part, Picture):
        return f"<figure>{_image(part)}<figcaption>{escape(part.caption)}</figcaption></figure>"
    if isinstance(part, Pictures):
        cells = "".join(f"<div>{_part(cell)}</div>" for cell in part.cells)
        return f'<h3>{escape(part.caption)}</h3><div class="cells">{cells}</div>'
    if isinstance(part, Texts):
        lines = [
            "<br>".join(f'<span class="soft">{escape(a)}</span> {escape(b)}' for a, b in group)
            for group in part.groups
        ]
        return "".join(f"<p>{line}</p>" for line in lines)
    title = part.axes[0].get_title(loc="left") if part.axes else ""
    return f'<div class="scroll">{to_svg(part, title)}</div>'


def _image(picture: Picture) -> str:
    small = max(picture.image.shape[:2]) < _SMALL
    kind = "png" if small else "jpeg"
    data = base64.b64encode(encode_image(picture.image, ".png" if small else ".jpg")).decode()
    text = escape(picture.caption, quote=True)
    style = ' class="small"' if small else ""
    return f'<img{style} src="data:image/{kind};base64,{data}" alt="{text}">'


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
