"""`jaxvision opinions`: lets people rate pictures, and averages their votes.

jaxvision opinions make bicubic/ srresnet/ srgan/ truth/ --out=sheet.html
jaxvision opinions count sheet.key.json votes_*.json
"""

import argparse
from pathlib import Path

_DESCRIPTION = """
`make` writes a page that shows pictures one by one, blind and in random order; a person rates each
from 1 (bad) to 5 (excellent) and saves the votes to a file. Each FOLDER holds one method's pictures
under the same file names, and is named after the method. Beside the page lies its key, which says
what made each picture: keep it. `count` averages the votes of several people, with 95% confidence
intervals.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "opinions", help="let people rate pictures, and average votes", description=_DESCRIPTION
    )
    actions = parser.add_subparsers(required=True, metavar="make|count")
    make = actions.add_parser("make", help="write a page", description=_DESCRIPTION)
    make.add_argument("folders", metavar="FOLDER", nargs="+", type=Path)
    make.add_argument("--out", type=Path, required=True, help="the page, .html")
    make.set_defaults(run=_make)
    count = actions.add_parser("count", help="average votes", description=_DESCRIPTION)
    count.add_argument("key", metavar="KEY", type=Path, help="the page's .key.json")
    count.add_argument("votes", metavar="VOTES", nargs="+", type=Path, help="files of votes")
    count.set_defaults(run=_count)


def _make(options: argparse.Namespace) -> int:
    from jaxvision.inference.opinions.sheet import write_sheet

    methods = {folder.resolve().name: folder for folder in options.folders}
    if len(methods) < len(options.folders):
        raise ValueError("folders must have different names, those of the methods")
    key, count = write_sheet(methods, options.out)
    print(f"wrote {options.out}, {count:,} pictures of {len(methods)} methods; keep {key}")
    return 0


def _count(options: argparse.Namespace) -> int:
    from jaxvision.inference.opinions.votes import average
    from jaxvision.inference.reports.layout import Table, as_text

    found = average(options.key, options.votes)
    rows = [(x.method, f"{x.mean:.2f}", f"+- {x.half_width:.2f}", f"{x.votes:,}") for x in found]
    print(as_text(Table(("method", "score", "95%", "votes"), rows)))
    return 0
