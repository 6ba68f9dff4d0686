"""Checkpoints that pickle whole modules of packages that are not there."""

import os
import sys

import numpy as np
import pytest
from torch_pickles import glob, integer, text, write

from jaxvision.pretrained.torch_file import read_torch_file

MARK, END = b"(", b"."


def reference(elements=4, shape=(2, 2)):
    """The pickle of a tensor over the record data/0."""
    pid = text("storage") + glob("torch", "FloatStorage") + text("0") + text("cpu")
    strides = np.cumprod((1, *shape[:0:-1]))[::-1].tolist()
    sizes = [MARK + b"".join(map(integer, v)) + b"t" for v in (shape, strides)]
    arguments = MARK + MARK + pid + integer(elements) + b"tQ" + integer(0) + b"".join(sizes)
    return glob("torch._utils", "_rebuild_tensor_v2") + arguments + b"\x89NtR"


def mapping(**items):
    return b"}" + MARK + b"".join(text(k) + v for k, v in items.items()) + b"u"


def module(name="Net", parameters=b"}", buffers=b"}", modules=b"}", **more):
    """The pickle of an object of `absent_package.models.<name>`."""
    groups = dict(_parameters=parameters, _buffers=buffers, _modules=modules)
    return glob("absent_package.models", name) + b")\x81" + mapping(**groups, **more) + b"b"


def read(tmp_path, data, elements=4):
    values = np.arange(elements, dtype="<f4")
    path = write(tmp_path / "net.pt", b"\x80\x02" + data + END, storage=values.tobytes())
    return read_torch_file(path)


BLOCK = module("Block", mapping(weight=reference(), bias=b"N"), mapping(mean=reference(2, (2,))))


def test_modules_give_their_state_dict_and_import_nothing(tmp_path, monkeypatch):
    (tmp_path / "absent_package").mkdir()
    (tmp_path / "absent_package" / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    block = module("Block", mapping(weight=reference(), bias=b"N"), mapping(mean=reference()))
    net = module(
        modules=mapping(**{"0": block, "act": module("SiLU")}), stride=integer(8), names=mapping()
    )
    for data in (net, mapping(epoch=integer(3), model=net, ema=b"N")):
        state = read(tmp_path, data)
        assert list(state) == ["0.weight", "0.mean"]
        np.testing.assert_array_equal(state["0.weight"], [[0, 1], [2, 3]])
    assert "absent_package" not in sys.modules


def test_buffers_that_are_not_kept_are_left_out(tmp_path):
    hidden = glob("builtins", "set") + MARK + b"]" + text("grid") + b"atR"
    net = module(
        buffers=mapping(grid=reference(), mean=reference()), _non_persistent_buffers_set=hidden
    )
    assert list(read(tmp_path, net)) == ["mean"]


def nested(depth):
    net = module(parameters=mapping(weight=reference()))
    for _ in range(depth):
        net = module(modules=mapping(a=net))
    return net


def doubling():
    """Each module holds the one before twice: 2^40 names of one tensor."""
    data = module(parameters=mapping(weight=reference())) + b"q\x01"
    for i in range(2, 42):
        below = b"h" + bytes([i - 1])
        data += b"0" + module(modules=mapping(a=below, b=below)) + b"q" + bytes([i])
    return data


HOSTILE = {
    "a function is called": (glob("posix", "system") + MARK + text("true") + b"tR", "posix.system"),
    "a function of a module's package is called": (
        mapping(a=module(parameters=mapping(weight=reference())))
        + text("b")
        + glob("absent_package.models", "run")
        + b")Rs",
        "absent_package.models.run",
    ),
    "a class is called": (module() + b"0" + glob("absent_package.models", "Net") + b")R", "Net"),
    "a class is called by INST": (
        MARK + text("x") + b"iabsent_package\nNet\n",
        "absent_package.Net",
    ),
    "a class is called by OBJ": (
        MARK + glob("absent_package", "Net") + text("x") + b"o",
        "absent_package.Net",
    ),
    "a module is made with arguments": (
        glob("subprocess", "Popen") + MARK + text("true") + b"t\x81",
        "subprocess.Popen",
    ),
    "a module is made with keywords": (
        b"\x80\x04" + glob("os", "open") + b")" + mapping(path=text("x")) + b"\x92",
        "damaged|os.open",
    ),
    "a name is only mentioned": (
        mapping(model=module(parameters=mapping(weight=reference())), hook=glob("os", "system")),
        "os.system",
    ),
    "the attributes are no mapping": (
        glob("absent_package", "Net") + b")\x81" + text("x") + b"b",
        "absent_package.Net",
    ),
    "the attributes are slots": (
        glob("absent_package", "Net") + b")\x81" + b"N" + mapping(a=text("b")) + b"\x86b",
        "absent_package.Net",
    ),
    "items are set on a module": (module() + text("a") + integer(1) + b"s", "damaged"),
    "items are appended to a module": (module() + integer(1) + b"a", "damaged"),
    "the class is changed": (
        module() + b"0" + glob("absent_package.models", "Net") + mapping(count=integer(5)) + b"b",
        "damaged|Net",
    ),
    "a module holds itself": (
        glob("absent_package", "Net")
        + b")\x81q\x01"
        + mapping(_modules=mapping(a=b"h\x01"), _parameters=mapping(w=reference()))
        + b"b",
        "nested more than 100 deep|more than 20000",
    ),
    "modules are nested too deep": (nested(150), "nested more than 100 deep"),
    "modules double": (doubling(), "more than 20000 tensors"),
    "a tensor lies outside its storage": (
        module(parameters=mapping(weight=reference(4, (3, 2)))),
        "tensor weight",
    ),
    "it holds no tensor": (module(modules=mapping(a=module())), "expected tensors"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_more_than_a_module_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(os, "system", lambda *args: pytest.fail("it was run"))
    data, message = HOSTILE[name]
    with pytest.raises(ValueError, match=f"net.pt.*({message})"):
        read(tmp_path, data)
