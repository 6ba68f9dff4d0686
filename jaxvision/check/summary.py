"""The report of a check that has no boxes: tables and findings, as text, page and JSON."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from jaxvision.check.findings import Finding
from jaxvision.check.html import finding_html
from jaxvision.check.kinds import Severity
from jaxvision.check.page import page, table
from jaxvision.check.text import SCHEMA, finding_json, finding_lines, verdict

# Rows of a table on a terminal.
_ROWS = 40


class Counts(NamedTuple):
    """A table of a report.

    Attributes:
        title: Its heading.
        head: Names of the columns; the first one holds names.
        rows: Cells.
        bars: A number in [0, 1] for each row, drawn at its end; None for none.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Sequence[float] | None = None


class Summary(NamedTuple):
    """What a check found.

    Attributes:
        source: Format of the dataset.
        path: Its folder.
        splits: Name of each split that was asked for, by `train` and `val`.
        tables: What was counted, as text.
        statistics: The same as values that JSON can hold.
        findings: Worst first.
    """

    source: str
    path: str
    splits: Mapping[str, str]
    tables: Sequence[Counts]
    statistics: Mapping[str, Any]
    findings: Sequence[Finding]

    def count(self, severity: Severity) -> int:
        """Returns how many findings are of a severity."""
        return sum(finding.kind.severity == severity for finding in self.findings)

    @property
    def trainable(self) -> bool:
        """Whether training would run, and learn something."""
        return not self.count(Severity.ERROR)

    def as_text(self) -> str:
        """Lays the report out for a terminal."""
        lines = [f"{self.path} ({self.source})"]
        for counts in self.tables:
            rows = [counts.head, *counts.rows[:_ROWS]]
            widths = [max(len(row[i]) for row in rows) for i in range(len(counts.head))]
            lines.append("")
            for first, *others in rows:
                cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
                lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
            if len(counts.rows) > _ROWS:
                lines.append(f"and {len(counts.rows) - _ROWS:,} more, in the report")
        for finding in self.findings:
            lines += ["", *finding_lines(finding)]
        return "\n".join([*lines, "", verdict(self)])

    def as_html(self, contact_sheet: str | None) -> str:
        """Writes the report as a page; `contact_sheet` is a picture beside it, if there is one."""
        title = f"Data check: {self.path.rstrip('/').rpartition('/')[2] or self.path}"
        splits = ", ".join(f"{split} {name}" for split, name in self.splits.items())
        parts = [
            f"<h1>{escape(title)}</h1>",
            f'<p class="soft">{escape(f"{self.path} · {self.source} · {splits}")}</p>',
            f'<p class="verdict{"" if self.trainable else " bad"}">{escape(verdict(self))}</p>',
            "<h2>Findings</h2>",
            *(finding_html(finding) for finding in self.findings),
            "" if self.findings else "<p>None.</p>",
        ]
        for title, head, rows, bars in self.tables:
            shown = head if bars is None else (*head, "")
            parts += [f"<h2>{escape(title)}</h2>", table(shown, rows, bars)]
        if contact_sheet is not None:
            name = escape(contact_sheet, quote=True)
            parts += [
                "<h2>Training samples</h2>",
                f'<a href="{name}"><img src="{name}" alt="Training samples"></a>',
            ]
        return page(title, parts)

    def as_json(self) -> str:
        """Writes `schema`, `source`, `path`, `splits`, `trainable`, `findings`, `statistics`."""
        document = {
            "schema": SCHEMA,
            "source": self.source,
            "path": self.path,
            "splits": dict(self.splits),
            "trainable": self.trainable,
            "findings": [finding_json(finding) for finding in self.findings],
            "statistics": self.statistics,
        }
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
