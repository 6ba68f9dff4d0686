"""Pictures and videos, through a detector, a classifier or a segmenter."""

import argparse
import contextlib
import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jaxvision.cli.predict import formats, message
from jaxvision.data.errors import DataError
from jaxvision.inference.images import Image
from jaxvision.inference.inputs import ClipInputs, Inputs, Video, open_video
from jaxvision.inference.outputs.drawn import drawn_name, drawn_pictures, drawn_video
from jaxvision.inference.outputs.formats import FILES, FORMATS
from jaxvision.inference.outputs.item import Add, Item, Names
from jaxvision.train.progress import Progress

# Pictures that get a line on the terminal, and skipped files that are named.
_LINES, _NAMED = 20, 5


def predict_images(predictor: Any, options: argparse.Namespace) -> int:
    """Predicts what the command line names; returns the exit code.

    Raises:
        ValueError: If there is nothing to predict, or a picture would be written over.
        OSError: If a file is missing or cannot be written.
    """
    if not options.inputs:
        raise ValueError("expected pictures, videos or folders after the run, got none")
    inputs = (ClipInputs if predictor.reads == "clips" else Inputs)(options.inputs)
    names = Names()
    pictures = {file: Item(file, names(file)) for file in dict.fromkeys(inputs.pictures)}
    videos = {file: names(file) for file in dict.fromkeys(inputs.videos)}
    if inputs.skipped:
        more = ", ..." if len(inputs.skipped) > _NAMED else ""
        shown = ", ".join(inputs.skipped[:_NAMED])
        message(f"skipped {len(inputs.skipped):,} other files: {shown}{more}")
    draw = not options.no_draw
    drawn = [options.out / drawn_name(file, item.name) for file, item in pictures.items()]
    drawn += [options.out / f"{name}.mp4" for name in videos.values()]
    _check_not_inputs(drawn if draw else [], [*pictures, *videos])
    options.out.mkdir(parents=True, exist_ok=True)

    session = _Session()
    with contextlib.ExitStack() as stack:
        adds = [stack.enter_context(FORMATS[name](options.out)) for name in formats(options)]
        if pictures:
            picture_adds = list(adds)
            if draw:
                picture_adds.append(stack.enter_context(drawn_pictures(options.out)))
            _predict_pictures(predictor, pictures, picture_adds, session)
        for file, name in videos.items():
            target = options.out / f"{name}.mp4" if draw else None
            _predict_video(predictor, file, name, adds, target, session)
    written = [FILES[name] for name in formats(options)]
    written += [f"{session.done:,} drawn pictures and frames"] if draw else []
    message(f"{session.summary()}; wrote {', '.join(written) or 'nothing'} to {options.out}")
    return 1 if session.faults else 0


class _Session:
    """Counts what was predicted, found and not read."""

    def __init__(self) -> None:
        self.done = 0
        self.faults = 0
        self._found: Counter[str] = Counter()

    def fault(self, image: Image | None, error: DataError) -> None:
        del image
        self.faults += 1
        message(f"error: {error}")

    def add(self, item: Item, result: Any, adds: Iterable[Add]) -> None:
        for add in adds:
            add(item, result)
        self.done += 1
        self._found.update(result.names)
        if item.frame is None and self.done <= _LINES:
            print(f"{item.path}: {result.summary()}", flush=True)

    def summary(self) -> str:
        found = ", ".join(f"{name} {count:,}" for name, count in self._found.most_common())
        failed = f", {self.faults:,} could not be read" if self.faults else ""
        return f"{self.done:,} predicted{failed}; {found or 'nothing found'}"


def _predict_pictures(
    predictor: Any, items: dict[str, Item], adds: list[Add], session: _Session
) -> None:
    with Progress(len(items), "pictures") as progress:
        results = predictor.stream(list(items), count=len(items), on_fault=session.fault)
        for result in results:
            session.add(items[result.image], result, adds)
            progress(session.done + session.faults)


def _predict_video(
    predictor: Any, file: str, name: str, adds: list[Add], target: Path | None, session: _Session
) -> None:
    try:
        video = open_video(file)
    except DataError as error:
        session.fault(None, error)
        return
    if video.camera is not None:
        # What a camera sees is wanted at once.
        predictor = predictor.replaced(batch_size=1)
        message("Ctrl-C ends")
    with contextlib.ExitStack() as stack:
        adds = list(adds)
        if target is not None:
            adds.append(stack.enter_context(drawn_video(target, video.rate)))
        progress = stack.enter_context(Progress(video.total or 0, "frames"))
        ends = (KeyboardInterrupt,) if video.camera is not None else ()
        with contextlib.suppress(*ends):
            frames = _frames(video, functools.partial(session.fault, None))
            for number, result in enumerate(predictor.stream(frames)):
                item = Item(file, name, number, number / video.rate)
                session.add(item, result, adds)
                progress(number + 1)


def _frames(video: Video, on_fault: Any) -> Iterator[Any]:
    """Yields the frames; an early end is a fault, and what was there is predicted."""
    try:
        yield from video.frames()
    except DataError as error:
        on_fault(error)


def _check_not_inputs(written: list[Path], read: list[str]) -> None:
    inputs = {Path(file).resolve() for file in read}
    for file in written:
        if file.resolve() in inputs:
            raise ValueError(
                f"--out must not be a folder of inputs: {file} would be written over; give another "
                "folder"
            )
