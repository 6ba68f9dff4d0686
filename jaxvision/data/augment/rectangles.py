"""Input shapes near those of the images, so that evaluation does not compute on padding."""

# Height and width of each shape over the longer side: squares, 4:3 with 3:2, and 5:3 to 16:9.
_ASPECTS = ((0.6, 1.0), (1.0, 0.6), (0.75, 1.0), (1.0, 0.75), (1.0, 1.0))


def rectangles(side: int, stride: int = 32) -> tuple[tuple[int, int], ...]:
    """Lists the few input shapes that replace a square one, smallest first.

    Each is compiled separately. An image is resized as for the square, to a longer side of `side`,
    and then padded to the first shape that holds it.

    Args:
        side: Of the square in pixels, a multiple of `stride`.
        stride: Heights and widths are multiples of it.

    Returns:
        (height, width) of at most five shapes, the square the last of them.

    Raises:
        ValueError: If `side` is not a positive multiple of `stride`.
    """
    if side < stride or side % stride:
        raise ValueError(f"side must be a multiple of {stride}, got {side}")
    shapes = [tuple(-(-round(side * part) // stride) * stride for part in a) for a in _ASPECTS]
    return tuple(dict.fromkeys(shapes))  # pyright: ignore[reportReturnType]
