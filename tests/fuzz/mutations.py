"""Changes of files that make parsers fail: bits, boundary numbers, pieces that move or repeat."""

import random
import re
import struct
from collections.abc import Callable, Sequence

_NUMBERS = (0, 1, -1, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000)
_NUMBERS += (0xFFFFFFFF, 1 << 40, 0x7FFFFFFFFFFFFFFF)
_WORDS = ("0", "-1", "1e30", "1e400", "nan", "inf", "9" * 30, "9" * 400, "4294967296", "0.5")
_WORDS += (
    "true",
    "null",
    "[]",
    "{}",
    '""',
    '"\\ud800"',
    '"\\u0000"',
    "../x",
    "/etc/passwd",
    "x" * 300,
)
_WORDS += (
    "[" * 300,
    '{"a":' * 300,
    "<!DOCTYPE a>",
    "*a",
    "&a",
    "!!python/name:os",
    "\0",
    "\n",
    '"',
)
_WORDS += ("é", "\ufeff", "yes", "2024-99-99", "0x10", "1:60", ",", ";", "- ", ": ", "<a>", "</a>")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")

Change = Callable[[random.Random, bytearray], None]


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Returns one of some valid files, changed in one to six places."""
    data = bytearray(rng.choice(seeds))
    if rng.random() < 0.05:
        other = rng.choice(seeds)
        data = data[: _place(rng, data)] + other[_place(rng, other) :]
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        rng.choice(CHANGES)(rng, data)
    return bytes(data)


def _place(rng: random.Random, data: bytes | bytearray) -> int:
    # Headers are at the beginning, or at the end.
    size = len(data)
    kind = rng.random()
    near = min(size, 64)
    if kind < 0.3:
        return rng.randint(0, near)
    return size - rng.randint(0, near) if kind < 0.4 else rng.randint(0, size)


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[min(_place(rng, data), len(data) - 1)] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray) -> None:
    if data:
        data[min(_place(rng, data), len(data) - 1)] = rng.choice((0, 255, rng.randrange(256)))


def _integer(rng: random.Random, data: bytearray) -> None:
    form = rng.choice("<>") + rng.choice("HIQ")
    size, number = struct.calcsize(form), rng.choice(_NUMBERS)
    place = _place(rng, data)
    data[place : place + size] = struct.pack(form, number % (1 << 8 * size))


def _truncate(rng: random.Random, data: bytearray) -> None:
    del data[_place(rng, data) :]


def _delete(rng: random.Random, data: bytearray) -> None:
    place = _place(rng, data)
    del data[place : place + rng.choice((1, 2, 4, 16, 64))]


def _repeat(rng: random.Random, data: bytearray) -> None:
    start = _place(rng, data)
    piece = bytes(data[start : start + rng.choice((1, 4, 16, 64, 256))])
    place = _place(rng, data)
    data[place:place] = piece * rng.choice((1, 2, 10, 100))


def _word(rng: random.Random, data: bytearray) -> None:
    place = _place(rng, data)
    data[place:place] = rng.choice(_WORDS).encode(errors="surrogatepass")


def _written_number(rng: random.Random, data: bytearray) -> None:
    found = list(_NUMBER.finditer(data))
    if found:
        match = rng.choice(found)
        data[match.start() : match.end()] = rng.choice(_WORDS).encode(errors="surrogatepass")


CHANGES: tuple[Change, ...] = (
    _flip,
    _flip,
    _byte,
    _integer,
    _truncate,
    _delete,
    _repeat,
    _word,
    _written_number,
    _written_number,
)
