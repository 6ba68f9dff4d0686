"""Looking up a variant by its name, with suggestions where there is none."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


def fields_of(variant: str, variants: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns the row of a table of variants.

    Args:
        variant: Name of the row.
        variants: {name: fields of the model}.

    Raises:
        ValueError: If there is no such variant; the message lists the most similar names.
    """
    if variant not in variants:
        raise ValueError(unknown("variant", variant, variants))
    return variants[variant]


def detector_fields(
    prefix: str, variant: str, variants: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Returns the row of a table of detectors.

    Args:
        prefix: What all names begin with, such as `yolox_`.
        variant: Name of the row, with or without the prefix.
        variants: {name: fields of the model}.

    Raises:
        ValueError: If there is no such variant; the message lists all.
    """
    name = prefix + variant.removeprefix(prefix)
    if name not in variants:
        raise ValueError(f"variant must be one of {', '.join(variants)}, got {variant}")
    return variants[name]


def unknown(argument: str, value: str, known: Iterable[str]) -> str:
    """Words the error for a name that is not among the known: lists the most similar, or all."""
    known = list(known)
    near = difflib.get_close_matches(value, known, n=5)
    return f"{argument} must be one of {', '.join(near or known)}, got {value}"
