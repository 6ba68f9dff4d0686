"""The report of a check as plain text, for a terminal, and as JSON, for programs."""

import itertools
import json
import textwrap
from typing import Any, Protocol

from jaxvision.check.dataset import Report
from jaxvision.check.findings import Finding
from jaxvision.check.kinds import Severity
from jaxvision.check.statistics import Bin, Statistics

# Increased when a field changes its meaning or disappears.
SCHEMA = 1
_WIDTH = 100
_SHOWN = 3
_CLASSES = 40


class Judged(Protocol):
    """A report of any kind of data."""

    def count(self, severity: Severity) -> int:
        """Returns how many findings are of a severity."""
        ...

    @property
    def trainable(self) -> bool:
        """Whether training would run, and learn something."""
        ...


def verdict(report: Judged) -> str:
    """Summarises a report in one line."""
    counts = [
        plural(report.count(severity), severity.value)
        for severity in Severity
        if report.count(severity)
    ]
    if not report.trainable:
        return f"{', '.join(counts)}: training would stop, or learn nothing"
    return f"{', '.join(counts) or 'nothing found'}: ready to train"


def plural(count: int, noun: str) -> str:
    """Writes a count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def bin_label(bar: Bin) -> str:
    """Writes the range of a bar."""
    if bar.high is None:
        return f"from {bar.low:g}"
    if bar.low == 0:
        return f"below {bar.high:g}"
    return f"{bar.low:g} to {bar.high:g}"


def as_text(report: Report) -> str:
    """Lays the report out for a terminal, a few examples of each finding."""
    lines = [f"{report.path} ({report.source})"]
    for split, statistics in report.statistics.items():
        lines += ["", *_split_lines(split, report.splits[split], statistics, report.max_objects)]
    if report.statistics:
        lines += ["", *_class_lines(report.statistics)]
    for finding in report.findings:
        lines += ["", *finding_lines(finding)]
    return "\n".join([*lines, "", verdict(report)])


def _split_lines(split: str, name: str, statistics: Statistics, max_objects: int) -> list[str]:
    each, side = statistics.objects_per_image, statistics.side
    sizes = ", ".join(f"{w} x {h} ({count:,})" for w, h, count in statistics.sizes[:4])
    if statistics.different_sizes > 4:
        sizes += f" and {statistics.different_sizes - 4:,} more"
    levels = ", ".join(f"{n:,} for stride {stride}" for stride, n in statistics.levels.items())
    return [
        f"{split} ({name}): {plural(statistics.images, 'image')}, "
        f"{statistics.without_objects:,} without objects; "
        f"{plural(statistics.objects, 'object')}"
        + (f"; {plural(statistics.crowds, 'crowd')}" if statistics.crowds else ""),
        f"  objects an image: median {each.median:g}, at most {each.largest:g}; "
        f"{statistics.over_max_objects:,} images with more than {max_objects}",
        f"  sqrt(area) at the input: {side.least:.3g} to {side.largest:.4g}, median "
        f"{side.median:.4g}; {statistics.below_cell:,} below 8, {statistics.below_2px:,} below 2",
        f"  by their size {levels}",
        f"  image sizes: {sizes or 'none read'}",
    ]


def _class_lines(splits: dict[str, Statistics]) -> list[str]:
    names = max(splits.values(), key=lambda statistics: len(statistics.classes)).classes
    width = min(max([5, *(len(row.name) for row in names)]), 30)
    lines = [f"{'class':{width}}" + "".join(f"{split + ' objects':>16}  share" for split in splits)]
    columns = [statistics.classes for statistics in splits.values()]
    for row in itertools.islice(zip(*columns, strict=False), _CLASSES):
        line = f"{row[0].name[:width]:{width}}"
        lines.append(line + "".join(f"{cell.objects:>16,} {cell.share:>6.1%}" for cell in row))
    if len(names) > _CLASSES:
        lines.append(f"and {len(names) - _CLASSES:,} more classes, in the report")
    return lines


def finding_lines(finding: Finding) -> list[str]:
    """Lays a finding out for a terminal, with a few examples."""
    kind = finding.kind
    lines = [
        f"{kind.severity}: {kind.title}: {finding.count:,} in {finding.split} [{finding.code}]"
    ]
    lines += [
        f"  {example.file}" + (f": {example.detail}" if example.detail else "")
        for example in finding.examples[:_SHOWN]
    ]
    if finding.count > _SHOWN:
        lines.append(f"  and {finding.count - _SHOWN:,} more")
    return [
        *lines,
        *textwrap.wrap(kind.advice, _WIDTH, initial_indent="  ", subsequent_indent="  "),
    ]


def as_json(report: Report) -> str:
    """Writes the report as JSON.

    Returns:
        An object with `schema`, `source`, `path`, `splits`, `image_size`, `max_objects`, `classes`,
        `trainable`, `findings` (a list of objects with `severity`, `code`, `split`, `count`,
        `title`, `advice` and `examples`, a list of `file` and `detail`), and `statistics` (by
        `train` and `val`, the fields of `Statistics`).
    """
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "source": report.source,
        "path": report.path,
        "splits": report.splits,
        "image_size": report.image_size,
        "max_objects": report.max_objects,
        "classes": report.classes,
        "trainable": report.trainable,
        "findings": [finding_json(finding) for finding in report.findings],
        "statistics": {
            split: {field: _plain(value) for field, value in statistics._asdict().items()}
            for split, statistics in report.statistics.items()
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def finding_json(finding: Finding) -> dict[str, Any]:
    """Returns a finding as values that JSON can hold."""
    return {
        "severity": finding.kind.severity.value,
        "code": finding.code,
        "split": finding.split,
        "count": finding.count,
        "title": finding.kind.title,
        "advice": finding.kind.advice,
        "examples": [example._asdict() for example in finding.examples],
    }


def _plain(value: Any) -> Any:
    """Turns named tuples into dicts, which JSON would write as lists."""
    if hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
