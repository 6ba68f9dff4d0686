"""The report of a check as a self-contained HTML page, but for the contact sheet."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

from jaxvision.check.dataset import Report
from jaxvision.check.findings import Finding
from jaxvision.check.page import page, table
from jaxvision.check.statistics import STRIDES, Bin, Statistics
from jaxvision.check.text import bin_label, plural, verdict


def as_html(report: Report, contact_sheet: str | None) -> str:
    """Writes the report as a page.

    Args:
        report: What was found.
        contact_sheet: File name of the contact sheet, beside the page; None if there is none.
    """
    title = f"Data check: {report.path.rstrip('/').rpartition('/')[2] or report.path}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(_subtitle(report))}</p>',
        f'<p class="verdict{"" if report.trainable else " bad"}">{escape(verdict(report))}</p>',
        "<h2>Findings</h2>",
        *(finding_html(finding) for finding in report.findings),
        "" if report.findings else "<p>None.</p>",
    ]
    if report.statistics:
        parts += [
            "<h2>Splits</h2>",
            _splits(report),
            "<h2>Classes</h2>",
            *_charts(report, _classes),
            "<h2>Boxes</h2>",
            '<p class="soft">Square root of the area in pixels of the network\'s input, after the '
            f"letterbox to {report.image_size} x {report.image_size}. An object below 64 pixels is "
            "counted for stride 8, below 128 for stride 16, else for stride 32 (the octaves of "
            "RetinaNet's anchors).</p>",
            *_charts(report, _boxes),
            "<h2>Objects an image</h2>",
            *_charts(report, _objects),
            "<h2>Images</h2>",
            *_charts(report, _images),
        ]
    if contact_sheet is not None:
        name = escape(contact_sheet, quote=True)
        parts += [
            "<h2>Training samples</h2>",
            '<p class="soft">The upper half as annotated, letterboxed only; the lower half with '
            "mosaic, rotation, scale, mixup, colour and mirror image. Select it for full size.</p>",
            f'<a href="{name}"><img src="{name}" alt="Training samples with their boxes"></a>',
        ]
    return page(title, parts)


def _subtitle(report: Report) -> str:
    splits = ", ".join(f"{split} {name}" for split, name in report.splits.items())
    return f"{report.path} · {report.source} · {splits} · input {report.image_size} pixels"


def finding_html(finding: Finding) -> str:
    """Writes a finding as a part of a page."""
    kind = finding.kind
    examples = "".join(
        f"<li><code>{escape(example.file)}</code> {escape(example.detail)}</li>"
        for example in finding.examples
    )
    shown = len(finding.examples)
    label = plural(shown, "example") if shown == finding.count else f"the first {shown} of them"
    return (
        f'<section class="finding {kind.severity}">'
        f'<h3><span class="severity">{kind.severity}</span>{escape(kind.title)}: '
        f"{finding.count:,} in {escape(finding.split)}</h3>"
        f'<p class="advice">{escape(kind.advice)} <code>{finding.code}</code></p>'
        f"<details{' open' if shown <= 3 else ''}><summary>{label}</summary>"
        f"<ul>{examples}</ul></details></section>"
    )


def _splits(report: Report) -> str:
    rows = (
        ("images", lambda s: s.images),
        ("unreadable images", lambda s: s.unreadable),
        ("images without objects", lambda s: s.without_objects),
        ("objects", lambda s: s.objects),
        ("crowds or ignored objects", lambda s: s.crowds),
        (f"images with more than {report.max_objects} objects", lambda s: s.over_max_objects),
        *((f"objects for stride {n}", lambda s, n=n: s.levels[str(n)]) for n in STRIDES),
        ("objects below one cell of stride 8", lambda s: s.below_cell),
        ("objects below 2 pixels", lambda s: s.below_2px),
        ("images with an EXIF rotation", lambda s: s.rotated),
        ("greyscale images", lambda s: s.greyscale),
        ("images with an alpha channel", lambda s: s.alpha),
        ("images of 16 bits", lambda s: s.sixteen_bit),
    )
    splits = report.statistics
    body = [(name, *(f"{value(split):,}" for split in splits.values())) for name, value in rows]
    return table(("", *splits), body)


def _charts(report: Report, chart: Callable[[Statistics], str]) -> list[str]:
    cells = [
        f"<div><h3>{escape(split)}</h3>{chart(statistics)}</div>"
        for split, statistics in report.statistics.items()
    ]
    return ['<div class="charts">', *cells, "</div>"]


def _classes(statistics: Statistics) -> str:
    largest = max([row.objects for row in statistics.classes], default=0)
    return table(
        ("class", "objects", "images", "share", ""),
        [
            (row.name, f"{row.objects:,}", f"{row.images:,}", f"{row.share:.1%}")
            for row in statistics.classes
        ],
        [row.objects / max(largest, 1) for row in statistics.classes],
    )


def _boxes(statistics: Statistics) -> str:
    side = statistics.side
    return _histogram("pixels", "objects", statistics.side_bins) + (
        f'<p class="soft">From {side.least:.3g} to {side.largest:.4g}, median {side.median:.4g}</p>'
    )


def _objects(statistics: Statistics) -> str:
    each = statistics.objects_per_image
    bins = _trimmed(statistics.objects_per_image_bins)
    rows = [(_whole_numbers(bar), f"{bar.count:,}") for bar in bins]
    return table(("objects", "images", ""), rows, _shares(bins)) + (
        f'<p class="soft">From {each.least:g} to {each.largest:g}, mean {each.mean:.1f}</p>'
    )


def _whole_numbers(bar: Bin) -> str:
    if bar.high is None:
        return f"{bar.low:g} or more"
    last = bar.high - 1
    return f"{bar.low:g}" if last == bar.low else f"{bar.low:g} to {last:g}"


def _images(statistics: Statistics) -> str:
    largest = max([count for _, _, count in statistics.sizes], default=1)
    sizes = table(
        ("width x height", "images", ""),
        [(f"{width} x {height}", f"{count:,}") for width, height, count in statistics.sizes],
        [count / largest for _, _, count in statistics.sizes],
    )
    more = statistics.different_sizes - len(statistics.sizes)
    note = f'<p class="soft">and {more:,} other sizes</p>' if more else ""
    return sizes + note + _histogram("width / height", "images", statistics.aspect_bins)


def _histogram(values: str, counted: str, bins: Sequence[Bin]) -> str:
    bins = _trimmed(bins)
    rows = [(bin_label(bar), f"{bar.count:,}") for bar in bins]
    return table((values, counted, ""), rows, _shares(bins))


def _trimmed(bins: Sequence[Bin]) -> Sequence[Bin]:
    """Drops the empty bars before the first and after the last that is not."""
    filled = [i for i, bar in enumerate(bins) if bar.count]
    return bins[filled[0] : filled[-1] + 1] if filled else ()


def _shares(bins: Iterable[Bin]) -> list[float]:
    counts = [bar.count for bar in bins]
    return [count / max(1, *counts) for count in counts]
