"""`jaxvision download`: gets weights that a reference has released.

jaxvision download resnet50
jaxvision download yolox_s --out=weights
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxvision.pretrained.released import Released

_DESCRIPTION = """
Downloads weights that the authors of a model have released, from their own address. A download that
was broken off is continued, and the file is verified where its publisher names a checksum. Then
--config.weights=NAME starts a run from it. Without NAME, lists what there is.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "download", help="get weights that a reference has released", description=_DESCRIPTION
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="as resnet50 or yolox_s")
    parser.add_argument(
        "--out",
        type=Path,
        help="folder; by default the cache, where --config.weights=NAME finds it",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Downloads, or lists; returns the exit code.

    Raises:
        ValueError: If there is no such name, or the file is not the one released.
        OSError: If it cannot be reached or written.
    """
    from jaxvision.pretrained.download import cache_folder, download
    from jaxvision.pretrained.released import RELEASED, released

    if options.name is None:
        print(_listed(RELEASED))
        return 0
    item = released(options.name)
    print(f"{item.url}\nreleased by {item.publisher}, licence {item.licence}")
    bar = _Bar(item.file)
    try:
        file, digest = download(item, options.out or cache_folder(), progress=bar)
    finally:
        bar.close()
    if item.sha256:
        print(f"verified: SHA-256 {digest[:16]}... begins with {item.sha256}")
    else:
        print(f"not verified, for {item.publisher} publishes no checksum: SHA-256 {digest}")
    value = options.name if options.out is None else file
    print(f"{file}\nto start from it: --config.weights={value}")
    return 0


def _listed(rows: "Mapping[str, Released]") -> str:
    width = max(map(len, rows))
    return "\n".join(
        f"{name:<{width}}  {item.publisher:<16} {item.licence:<13} "
        f"{item.sha256 or 'no checksum':<12} {item.file}"
        for name, item in rows.items()
    )


class _Bar:
    """Shows how much of a file is there: a bar on a terminal, nothing elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        import tqdm

        if self._bar is None:
            self._bar = tqdm.tqdm(
                desc=self._name, total=total or None, unit="B", unit_scale=True, disable=None
            )
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()
