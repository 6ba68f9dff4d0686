"""Pickles of protocol 2 as Python 2 wrote them for Planetoid, by hand: arrays, matrices, graphs."""

import itertools
import struct

import numpy as np

END = b"."
START = b"\x80\x02"


def glob(module, name):
    return f"c{module}\n{name}\n".encode()


def integer(value):
    if 0 <= value < 1 << 8:
        return b"K" + struct.pack("<B", value)
    if 0 <= value < 1 << 16:
        return b"M" + struct.pack("<H", value)
    return b"J" + struct.pack("<i", value)


def text(value):
    if len(value) < 256:
        return b"U" + struct.pack("<B", len(value)) + value
    return b"T" + struct.pack("<i", len(value)) + value


def put(place):
    return b"q" + struct.pack("<B", place) if place < 256 else b"r" + struct.pack("<i", place)


def pair(values):
    """A tuple of one or two integers."""
    return b"".join(map(integer, values)) + {1: b"\x85", 2: b"\x86"}[len(values)]


class Writer:
    """Numbers what is referred to again, and what could be."""

    def __init__(self):
        self.known = {}
        self.numbers = itertools.count(1)

    def put(self):
        return put(next(self.numbers))

    def once(self, key, made):
        """Writes a value, or refers to it."""
        if key in self.known:
            return b"h" + struct.pack("<B", self.known[key])
        self.known[key] = next(self.numbers)
        return made() + put(self.known[key])

    def glob(self, *name):
        return self.once(name, lambda: glob(*name))

    def array(self, x):
        made = self.glob("numpy.core.multiarray", "_reconstruct") + self.glob("numpy", "ndarray")
        made += pair([0]) + text(b"b") + b"\x87R" + self.put()
        made += b"(" + integer(1) + pair(x.shape)
        made += self.dtype(x.dtype)
        made += b"\x88" if x.flags.f_contiguous and x.ndim > 1 else b"\x89"
        return made + text(x.tobytes(order="A")) + b"tb"

    def dtype(self, dtype):
        if dtype.str in self.known:
            return self.once(dtype.str, bytes)
        order, code = dtype.str[:1].encode(), dtype.str[1:].encode()
        new = self.glob("numpy", "dtype") + text(code) + integer(0) + integer(1) + b"\x87R"
        made = self.once(dtype.str, lambda: new)
        return made + b"(" + integer(3) + text(order) + b"NNN" + integer(-1) * 2 + b"K\x00tb"


def array(x):
    """A pickled array."""
    return START + Writer().array(np.asarray(x)) + END


def csr(indptr, indices, data, shape):
    """A pickled `csr_matrix`."""
    write = Writer()
    made = write.glob("scipy.sparse.csr", "csr_matrix") + b")\x81" + write.put()
    made += b"}" + write.put() + b"("
    made += text(b"format") + write.put() + text(b"csr")
    made += text(b"_shape") + write.put() + pair(shape)
    made += text(b"indptr") + write.put() + write.array(indptr)
    made += text(b"_cs_matrix__has_sorted_indices") + write.put() + b"\x88"
    made += text(b"indices") + write.put() + write.array(indices)
    made += text(b"maxprint") + write.put() + integer(50)
    made += text(b"data") + write.put() + write.array(data)
    return START + made + b"ub" + END


def sparse(dense, dtype="<f4"):
    """A pickled `csr_matrix` of the features in rows."""
    dense = np.asarray(dense)
    rows, columns = np.nonzero(dense)
    indptr = np.searchsorted(rows, np.arange(len(dense) + 1))
    values = dense[rows, columns].astype(dtype)
    return csr(indptr.astype("<i4"), columns.astype("<i4"), values, dense.shape)


def graph(neighbours):
    """A pickled `defaultdict(list)`."""
    write = Writer()
    made = write.glob("collections", "defaultdict") + write.glob("__builtin__", "list")
    made += b"\x85R" + write.put()
    items = iter(neighbours.items())
    while batch := list(itertools.islice(items, 1000)):
        written = []
        for node, near in batch:
            numbers = b"".join(map(integer, near))
            if len(near) > 1:
                numbers = b"(" + numbers + b"e"
            elif near:
                numbers += b"a"
            written.append(integer(node) + b"]" + write.put() + numbers)
        made += b"(" + b"".join(written) + b"u"
    return START + made + END
