"""Writes a trained model to a file for other runtimes, and checks it before the file is there."""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxvision.data.files import replacing
from jaxvision.inference.export.onnx_format import write_onnx
from jaxvision.inference.export.options import PRECISIONS, Options
from jaxvision.inference.export.saved_model import write_saved_model
from jaxvision.inference.export.stablehlo import write_stablehlo
from jaxvision.inference.export.weights import write_weights

if TYPE_CHECKING:
    from jaxvision.inference.predictor import Predictor

# By format: the ending of a file, the function that writes one, and the options that it has.
FORMATS = {
    "onnx": (".onnx", write_onnx, ("nms", "precision", "pictures")),
    "stablehlo": (".stablehlo", write_stablehlo, ("nms",)),
    "safetensors": (".safetensors", write_weights, ("names",)),
    "saved_model": ("", write_saved_model, ("nms",)),
}


class Exported(NamedTuple):
    """A file that was written.

    Attributes:
        path: The file; for a SavedModel a folder.
        agreement: What the comparison with the model found, in words.
    """

    path: Path
    agreement: str


def export(
    predictor: "Predictor",
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    nms: bool = False,
    precision: str = "float32",
    pictures: Any = None,
    names: str = "own",
    overwrite: bool = False,
) -> Exported:
    """Writes a model to a file that other runtimes read.

    The file is compared with the model before it gets its name: one that computes something else is
    an error, and nothing is left of it.

    Args:
        predictor: The model.
        path: To write to.
        format: `onnx`, `stablehlo`, `safetensors` or `saved_model`; by default what the path's
            ending says.
        nms: Whether a detector's suppression belongs to the file, with the predictor's options.
        precision: Of an ONNX file: `float32`, `float16`, or `int8`.
        pictures: Files or folders of pictures, whose range of activations `int8` takes.
        names: Of weights in a `safetensors` file: `own` or `reference`.
        overwrite: Whether a file that is there is replaced.

    Raises:
        ValueError: If an option is wrong, the model has an operation that the format does not, or
            the file does not compute what the model does.
        OSError: If the file exists or cannot be written.
        ImportError: If the extra is not installed.
    """
    path = Path(path).expanduser()
    kind = _format(path, format)
    ending, write, known = FORMATS[kind]
    options = Options(nms=nms, precision=precision, pictures=_listed(pictures), names=names)
    _check(predictor, kind, options, known)
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists; give another --out, or --overwrite (in Python overwrite=True)"
        )
    if path.is_dir() and ending:
        raise ValueError(f"expected a file for the format {kind}, got the folder {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not ending:
        return Exported(path, write(predictor, path, options))
    with replacing(path) as temporary:
        agreement = write(predictor, temporary, options)
    return Exported(path, agreement)


def _format(path: Path, given: str | None) -> str:
    if given is None:
        given = next((name for name, row in FORMATS.items() if row[0] == path.suffix.lower()), None)
        if given is None or not path.suffix:
            endings = ", ".join(row[0] for row in FORMATS.values() if row[0])
            raise ValueError(
                f"the file must end in one of {endings}, or --format must say what it is, got "
                f"{path}"
            )
    if given not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {given}")
    return given


def _check(predictor: "Predictor", kind: str, options: Options, known: Iterable[str]) -> None:
    """Checks options before anything is computed."""
    for field in dataclasses.fields(Options):
        if field.name not in known and getattr(options, field.name) != field.default:
            raise ValueError(f"{field.name} is no option of the format {kind}")
    if options.precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}, got {options.precision}"
        )
    if options.names not in ("own", "reference"):
        raise ValueError(f"names must be own or reference, got {options.names}")
    if options.precision == "int8" and not options.pictures:
        raise ValueError(
            "int8 needs pictures like those that the model will see, about 100 of them: "
            "--pictures=FOLDER"
        )
    if options.pictures and options.precision != "int8":
        raise ValueError(f"pictures are for the precision int8, got {options.precision}")
    if predictor.reads != "images" and options.precision == "int8":
        raise ValueError(
            "int8 is calibrated on pictures that a model sees, and this one reads "
            f"{predictor.reads}"
        )
    if predictor.reads == "text" and kind == "onnx":
        raise ValueError(
            "a translator's search has no ONNX form; export it as stablehlo or safetensors"
        )


def _listed(pictures: Any) -> tuple[Any, ...]:
    if pictures is None:
        return ()
    return (pictures,) if isinstance(pictures, (str, os.PathLike)) else tuple(pictures)
