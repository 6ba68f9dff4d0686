"""What reading a pickle would take, counted from its operations before any of them is made.

A pickle of a few hundred bytes can ask for any memory and time: by references to what it has made,
each value may hold the one before it twice. Python's unpickler does not look at that, and hashing a
tuple that is nested deeply ends the process. So the stack is followed here with a weight in place
of each value.
"""

import pickletools
from typing import cast

# A checkpoint of a detector with its optimizer has about 50,000 operations.
MAX_OPERATIONS = 400_000
MAX_TUPLE_DEPTH = 100
# Values in a tuple, each counted as often as it is referred to, 8 bytes of text as one.
MAX_TUPLE = 1_000_000
# Values that are hashed or copied in all.
MAX_WORK = 20_000_000
MAX_BYTES = 1 << 28

# (nesting of tuples, number of values); of what grows later a list, which all references share.
_Weight = tuple[int, int] | list[int]
_PLAIN = (0, 1)
# Operations by what they take from the stack: the values above the last mark, or so many.
_DROPPED = {"POP": 1, "BUILD": 1, "POP_MARK": None}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "TUPLE": None}
_TUPLES |= {"FROZENSET": None}
_CONTAINERS = {"EMPTY_LIST": 0, "EMPTY_DICT": 0, "EMPTY_SET": 0, "LIST": None, "DICT": None}
_GROWING = {"APPEND": 1, "SETITEM": 2, "APPENDS": None, "SETITEMS": None, "ADDITEMS": None}
_MAKING = {"REDUCE": 2, "NEWOBJ": 2, "NEWOBJ_EX": 3, "BINPERSID": 1, "STACK_GLOBAL": 2}
_MAKING |= {"INST": None, "OBJ": None}
_PUT = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_GET = ("GET", "BINGET", "LONG_BINGET")
_FOLLOWED = {"MARK", "DUP", "PROTO", "FRAME", "STOP", *_PUT, *_GET, *_DROPPED, *_TUPLES}
_FOLLOWED |= {*_CONTAINERS, *_GROWING, *_MAKING}


class Refused(ValueError):
    """A pickle that would take too much, or does what no checkpoint does."""


def check_pickle(data: bytes) -> None:
    """Checks that reading a pickle takes a second and a few hundred megabytes at most.

    Raises:
        Refused: If it takes more.
        Exception: Whatever else a damaged pickle leads to.
    """
    if len(data) > MAX_BYTES:
        raise Refused(f"data.pkl has {len(data):,} bytes, expected at most {MAX_BYTES:,}")
    stack = _Stack()
    for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
        if count > MAX_OPERATIONS:
            raise Refused(f"data.pkl has more than {MAX_OPERATIONS:,} operations")
        stack.follow(operation.name, argument, count)


class _Stack:
    """The unpickler's stack and memo, with weights in place of values and None for marks."""

    def __init__(self) -> None:
        self._weights: list[_Weight | None] = []
        self._memo: dict[int, _Weight | None] = {}
        self._work = 0

    def follow(self, name: str, argument: object, count: int) -> None:
        """Makes an operation, the number `count`; raises Refused if it takes too much."""
        weights = self._weights
        if name not in _FOLLOWED:
            if name.startswith("EXT"):
                raise Refused("data.pkl uses the extension registry")
            # All that is left puts one value on the stack: a number, a text, a global.
            size = len(argument) // 8 if isinstance(argument, str | bytes | bytearray) else 0
            weights.append((0, 1 + size) if size else _PLAIN)
        elif name in _PUT:
            place = len(self._memo) if name == "MEMOIZE" else int(cast(int, argument))
            # The unpickler allocates its memo up to the largest index.
            if not 0 <= place <= count:
                raise Refused(f"data.pkl asks for {place:,} memo entries")
            self._memo[place] = weights[-1]
        elif name in _GET:
            weights.append(self._memo[int(cast(int, argument))])
        elif name == "MARK":
            weights.append(None)
        elif name in _TUPLES:
            weights.append(self._tuple(self._taken(_TUPLES[name])))
        elif name in _CONTAINERS:
            taken = self._taken(_CONTAINERS[name])
            weights.append([0, 1])
            self._grow(taken)
        elif name in _GROWING:
            self._grow(self._taken(_GROWING[name]))
        elif name in _MAKING:
            weights.append(self._sum(self._taken(_MAKING[name])))
        elif name in _DROPPED:
            self._charge(self._sum(self._taken(_DROPPED[name]))[1])
        elif name == "DUP":
            weights.append(weights[-1])

    def _taken(self, number: int | None) -> list[_Weight]:
        weights = self._weights
        if number is None:
            start = len(weights) - 1
            while weights[start] is not None:
                start -= 1
            taken = weights[start + 1 :]
            del weights[start:]
        else:
            start = len(weights) - number
            taken = weights[start:]
            del weights[start:]
        if start < 0 or None in taken:
            raise Refused("data.pkl takes more from its stack than there is")
        return cast(list[_Weight], taken)

    def _grow(self, taken: list[_Weight]) -> None:
        """Adds to the container on top; keys and members are hashed."""
        _, size = self._sum(taken)
        grown = self._weights[-1]
        # Keys count with the values: a shared value is charged more often than it is hashed.
        self._charge(sum(min(weight[1], MAX_TUPLE) for weight in taken if weight[0]))
        if isinstance(grown, list):
            grown[1] = min(grown[1] + size, MAX_WORK)

    def _tuple(self, taken: list[_Weight]) -> _Weight:
        depth, size = self._sum(taken)
        if depth >= MAX_TUPLE_DEPTH:
            raise Refused(f"data.pkl nests tuples more than {MAX_TUPLE_DEPTH} deep")
        if size > MAX_TUPLE:
            raise Refused(f"data.pkl has a tuple of more than {MAX_TUPLE:,} values")
        return depth + 1, 1 + size

    def _charge(self, size: int) -> None:
        self._work += size
        if self._work > MAX_WORK:
            raise Refused(f"data.pkl copies more than {MAX_WORK:,} values")

    @staticmethod
    def _sum(taken: list[_Weight]) -> tuple[int, int]:
        depth = size = 0
        for nesting, values in taken:
            depth = max(depth, nesting)
            size += values
        return depth, min(size, MAX_WORK)
