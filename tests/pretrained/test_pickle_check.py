"""Pickles that ask for all memory or time are refused before they are read."""

import time
import zipfile

import pytest
import torch_pickles
from torch_pickles import glob, text

from jaxvision.pretrained.pickle_check import MAX_OPERATIONS
from jaxvision.pretrained.read import read_state

TWICE = b"\x86"  # makes a pair of the two values on top
KEY = b"K\x01s."  # of the value on top, which is the key, in the dictionary below


def shared_containers(depth):
    """Dictionaries that hold the next one under every name of a container."""
    names = ("model", "ema", "state_dict", "module")
    data = b"}q\x00" + text("a") + b"K\x01s"
    for place in range(depth):
        data += b"}" + b"".join(text(name) + bytes([ord("h"), place]) + b"s" for name in names)
        data += bytes([ord("q"), place + 1])
    return data + b"."


def shared_modules(depth):
    """Modules without tensors that hold the next one under four names."""
    made = glob("own", "Block") + b")\x81"
    data = made + b"}b" + b"q\x00"
    for place in range(depth):
        modules = b"}(" + b"".join(text(name) + bytes([ord("h"), place]) for name in "abcd") + b"u"
        data += made + b"}" + text("_modules") + modules + b"sb" + bytes([ord("q"), place + 1])
    return data + b"."


def lists(count, call):
    """A call, over and over, with one list of tuples that grew after the arguments were made."""
    big = b"(" + b"K\x01" * 50_000 + b"tq\x01"
    arguments = b"]q\x02\x85q\x03"
    grown = b"h\x02(" + b"h\x01" * 50_000 + b"e0"
    return big + b"0" + arguments + b"0" + grown + (call + b"h\x03R0") * count + b"N."


BAD = {
    "a key of nested tuples": b"}" + b")" + b"\x85" * 200_000 + KEY,
    "a key of shared tuples": b"}" + b")" + (b"2" + TWICE) * 80 + KEY,
    "a shared tuple as the key of many": b"}(K\x01K\x01tq\x00"
    + (b"2" + TWICE) * 18
    + b"q\x010"
    + b"h\x01K\x01s" * 10_000
    + b".",
    "shared containers": shared_containers(40),
    "shared modules": shared_modules(40),
    "a large PUT": b"}p2000000000\n.",
    "a large BINPUT": b"}r\xff\xff\xff\x7f.",
    "a negative PUT": b"}p-1\n.",
    "a doubled device": b"}"
    + text("x" * 90)
    + b"q\x00"
    + b"".join(glob("torch", "device") + b"h\x00h\x00\x86Rq\x00" for _ in range(40))
    + KEY,
    "a text encoded over and over": text("x" * 1_000_000)
    + text("latin1")
    + b"\x86q\x00"
    + (glob("_codecs", "encode") + b"h\x00R0") * 10_000
    + b".",
    "sets of a list of tuples": lists(1, glob("builtins", "set")),
    "shapes of a list": lists(100, glob("torch", "Size")),
    "counters of a list": lists(100, glob("collections", "Counter")),
    "many operations": b"N0" * MAX_OPERATIONS + b"}.",
    "many classes": b"".join(glob("own", f"A{i}") + b"0" for i in range(20_000)) + b"}.",
    "a storage of shared tuples": b")" + (b"2" + TWICE) * 60 + b"Q.",
    "the extension registry": b"\x82\x01.",
    "an empty stack": b"0000.",
    "a mark in a tuple": b"(K\x01\x86.",
    "deep lists": b"]" * 100_000 + b"a" * 99_999 + b".",
    "a long name": glob("own", "a" * 1_000_000) + b")\x81.",
    "pairs of a list of tuples": lists(1, glob("collections", "OrderedDict")),
}


@pytest.mark.parametrize("name", BAD)
def test_a_pickle_that_takes_too_much_is_refused_in_a_second(tmp_path, name):
    path = torch_pickles.write(tmp_path / "bad.pth", BAD[name])
    start = time.process_time()
    with pytest.raises(ValueError, match=r"bad\.pth cannot be read") as error:
        read_state(path)
    # Twice the promise: other processes share the caches of a busy machine.
    assert time.process_time() - start < 2
    assert len(str(error.value)) < 1_000


def test_the_weight_of_shared_lists_is_no_fault(tmp_path):
    # An optimizer's group that refers to one list a hundred times, and tied names of one tensor.
    group = b"]q\x05(K\x01K\x02K\x03e0(" + b"h\x05" * 100 + b"l"
    storage = b"(" + text("storage") + glob("torch", "FloatStorage") + text("0") + text("cpu")
    tensor = glob("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + b"K\x04tQK\x00K\x04\x85"
    tensor += b"K\x01\x85\x89}tRq\x06"
    data = b"}(" + text("w") + tensor + text("v") + b"h\x06" + text("group") + group + b"u."
    state = read_state(torch_pickles.write(tmp_path / "a.pth", data))
    assert state.keys() == {"w", "v"} and state["v"].shape == (4,)


def test_records_that_lie_over_each_other_are_refused(tmp_path):
    def storage(key):
        pid = b"(" + text("storage") + glob("torch", "FloatStorage") + text(key) + text("cpu")
        return glob("torch._utils", "_rebuild_tensor_v2") + b"(" + pid + b"J\0\0\x01\0tQ"

    rest = b"K\x00J\0\0\x01\0\x85K\x01\x85\x89}tR"
    data = b"}(" + b"".join(text(str(i)) + storage(str(i)) + rest for i in range(50)) + b"u."
    path = tmp_path / "bad.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", data)
        archive.writestr("a/data/0", bytes(1 << 18))
        for i in range(1, 50):
            copy = zipfile.ZipInfo(f"a/data/{i:d}")
            archive.filelist.append(copy)
            first = archive.getinfo("a/data/0")
            for field in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(copy, field, getattr(first, field))
        archive._didModify = True
    with pytest.raises(ValueError, match=r"bad\.pth"):
        read_state(path)
