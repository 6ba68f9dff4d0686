import collections
import os
import pickle
import subprocess
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from torch_pickles import glob, integer, text, write

from jaxvision.pretrained.torch_file import read_torch_file

# Written by PyTorch itself: fixtures/make.py.
FIXTURES = Path(__file__).parent / "fixtures"
GRID = np.arange(24, dtype=np.float32).reshape(4, 6)
STATE = {
    "float32": GRID,
    "transposed": GRID.T,
    "row": GRID[2],
    "float16": np.array([0.5, -2.0, 65504.0], np.float16),
    "bfloat16": np.array([[1.0, -3.5], [2.0**100, 0.0]], ml_dtypes.bfloat16),
    "int64": np.array([2**40, -1]),
    "uint16": np.array([65535, 7], np.uint16),
    "bool": np.array([True, False]),
    "scalar": np.array(7),
    "empty": np.zeros((0, 5), np.float32),
    "parameter": np.array([[1.5, 2.5]], np.float32),
}


class Call:
    """Pickles as a call of `function`, as an attacker would write it."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def tensor(*, storage="FloatStorage", elements=4, offset=0, shape=(2, 2), strides=(2, 1)):
    """The pickle of {"w": a tensor over the record data/0}."""
    pid = text("storage") + glob("torch", storage) + text("0") + text("cpu") + integer(elements)
    numbers = [b"(" + b"".join(map(integer, values)) + b"t" for values in (shape, strides)]
    arguments = b"(" + b"(" + pid + b"tQ" + integer(offset) + b"".join(numbers) + b"\x89Nt"
    rebuild = glob("torch._utils", "_rebuild_tensor_v2")
    return b"\x80\x02}" + text("w") + rebuild + arguments + b"Rs."


def test_every_dtype_and_layout_reads_as_pytorch_wrote_it():
    state = read_torch_file(FIXTURES / "state.pth")
    assert list(state) == list(STATE)
    for name, expected in STATE.items():
        assert state[name].dtype == expected.dtype, name
        np.testing.assert_array_equal(state[name], expected, err_msg=name)


def test_training_checkpoint_gives_the_model_and_not_the_optimizer():
    state = read_torch_file(FIXTURES / "training.pth")
    assert list(state) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    np.testing.assert_allclose(state["running_mean"], [0.1, 0.1])
    assert state["num_batches_tracked"] == 1


def test_tensors_of_one_storage_share_memory_and_are_read_only():
    state = read_torch_file(FIXTURES / "state.pth")
    assert np.shares_memory(state["float32"], state["row"])
    assert not any(value.flags.writeable for name, value in state.items() if name != "empty")


def wrap(body, *keys):
    """Puts a pickled dict below keys: wrap(x, "ema", "module") is {"ema": {"module": x}}."""
    inner = body[2:-1]
    for key in reversed(keys):
        inner = b"}" + text(key) + inner + b"s"
    return b"\x80\x02" + inner + b"."


@pytest.mark.parametrize("keys", [(), ("model",), ("state_dict",), ("ema", "module")])
def test_state_dict_is_found_under_the_usual_keys(tmp_path, keys):
    path = write(tmp_path / "nested.pth", wrap(tensor(), *keys))
    assert read_torch_file(path)["w"].shape == (2, 2)


def test_averaged_weights_come_before_the_raw_ones(tmp_path):
    raw, averaged = tensor(shape=(1,), strides=(1,))[2:-1], tensor(shape=(3,), strides=(1,))[2:-1]
    content = b"\x80\x02}" + text("model") + raw + b"s" + text("ema") + averaged + b"s."
    assert read_torch_file(write(tmp_path / "both.pth", content))["w"].shape == (3,)


def test_settings_under_a_usual_key_do_not_hide_the_weights(tmp_path):
    settings = b"}" + text("decay") + b"K\x01s"
    content = b"\x80\x02}" + text("ema") + settings + b"s" + text("model") + tensor()[2:-1] + b"s."
    assert list(read_torch_file(write(tmp_path / "settings.pth", content))) == ["w"]


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [1, 2], {"model": {"depth": 1}}])
def test_file_without_weights_is_refused(tmp_path, content):
    path = write(tmp_path / "none.pth", pickle.dumps(content, protocol=2))
    with pytest.raises(ValueError, match="none.pth.*expected tensors"):
        read_torch_file(path)


def test_big_endian_files_are_swapped(tmp_path):
    values = np.array([1, 2, -3.5, 4], np.float32)
    path = write(
        tmp_path / "b.pth", tensor(), storage=values.astype(">f4").tobytes(), byteorder="big"
    )
    np.testing.assert_array_equal(read_torch_file(path)["w"], values.reshape(2, 2))
    brain = values.astype(ml_dtypes.bfloat16)
    data = brain.view(np.uint16).astype(">u2").tobytes()
    path = write(
        tmp_path / "c.pth", tensor(storage="BFloat16Storage"), storage=data, byteorder="big"
    )
    np.testing.assert_array_equal(read_torch_file(path)["w"], brain.reshape(2, 2))


MALICIOUS = {
    "posix.system": Call(os.system, "touch {proof}"),
    "(subprocess|commands).Popen": Call(subprocess.Popen, ["touch", "{proof}"]),
    "builtin.*.eval": Call(eval, "open('{proof}', 'w')"),
    "builtin.*.exec": Call(exec, "open('{proof}', 'w')"),
    "io.open": Call(open, "{proof}", "w"),
    "builtin.*.getattr": Call(getattr, os, "system"),
    "numpy.*load": Call(np.load, "{proof}"),
    "numpy.*_reconstruct": np.zeros(2),
    "collections.deque": collections.deque([1]),
}


def pickled(value, protocol, proof):
    """Pickles {"w": value}, with the path of the proof in the attacker's arguments."""
    if isinstance(value, Call):
        function, arguments = value.call
        if os in arguments:
            return b"\x80\x02" + glob("__builtin__", "getattr") + glob("os", "path") + b"."
        filled = [
            [part.replace("{proof}", str(proof)) for part in a]
            if isinstance(a, list)
            else a.replace("{proof}", str(proof))
            for a in arguments
        ]
        value = Call(function, *filled)
    return pickle.dumps({"w": value}, protocol=protocol)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", MALICIOUS)
def test_any_other_global_is_refused_and_nothing_runs(tmp_path, name, protocol):
    proof = tmp_path / "proof"
    data = pickled(MALICIOUS[name], protocol, proof)
    path = write(tmp_path / "bad.pth", data)
    with pytest.raises(ValueError, match=f"bad.pth.*{name}"):
        read_torch_file(path)
    assert not proof.exists()


def test_the_attack_works_without_the_allowlist(tmp_path):
    proof = tmp_path / "proof"
    pickle.loads(pickled(MALICIOUS["posix.system"], 2, proof))
    assert proof.exists()


@pytest.mark.parametrize(
    "data",
    [
        glob("collections", "OrderedDict.__init__.__globals__"),
        b"\x80\x04" + b"\x8c\x02os\x8c\x06system\x93",
        glob("torch._utils", "_rebuild_tensor_v2.__globals__"),
        glob("torch", "load"),
        b"(S'touch proof'\nios\nsystem\n",
    ],
    ids=["attribute chain", "stack global", "own function's globals", "torch.load", "inst"],
)
def test_names_are_matched_exactly(tmp_path, data):
    with pytest.raises(ValueError, match="it refers to"):
        read_torch_file(write(tmp_path / "bad.pth", data + b"."))


def test_what_an_allowed_name_stands_for_cannot_be_changed(tmp_path):
    build = glob("torch", "Size") + b"N}" + text("value") + text("x") + b"s\x86b."
    with pytest.raises(ValueError, match="changes torch.Size"):
        read_torch_file(write(tmp_path / "bad.pth", b"\x80\x02" + build))


@pytest.mark.parametrize(
    "changes",
    [
        {"elements": 2**40},
        {"elements": 5},
        {"elements": -1},
        {"offset": 1},
        {"offset": -1},
        {"offset": 2**62},
        {"shape": (2, 3)},
        {"shape": (2**40, 2**40), "strides": (0, 0)},
        {"shape": (1000, 2), "strides": (0, 1)},
        {"strides": (2**61, 1)},
        {"strides": (3, 1)},
        {"strides": (-2, 1)},
        {"strides": (1,)},
        {"shape": (0, 2**40, 2**40), "strides": (1, 1, 1)},
        {"shape": (1,) * 70, "strides": (1,) * 70},
    ],
    ids=str,
)
def test_sizes_outside_the_storage_are_refused(tmp_path, changes):
    with pytest.raises(ValueError, match="bad.pth.*tensor w"):
        read_torch_file(write(tmp_path / "bad.pth", tensor(**changes)))


def test_compressed_records_are_refused(tmp_path):
    path = write(
        tmp_path / "bomb.pth",
        tensor(elements=2**18),
        storage=bytes(2**20),
        compression=zipfile.ZIP_DEFLATED,
    )
    with pytest.raises(ValueError, match="bomb.pth.*compressed"):
        read_torch_file(path)


def test_huge_memo_index_is_refused_before_it_is_allocated(tmp_path):
    data = b"\x80\x02}r" + (2**32 - 1).to_bytes(4, "little") + b"."
    with pytest.raises(ValueError, match="memo"):
        read_torch_file(write(tmp_path / "memo.pth", data))


def test_cyclic_containers_are_refused(tmp_path):
    data = b"\x80\x02}q\x00" + text("model") + b"h\x00s."
    with pytest.raises(ValueError, match="expected tensors"):
        read_torch_file(write(tmp_path / "cycle.pth", data))


def test_format_before_1_6_asks_to_save_again():
    with pytest.raises(ValueError, match="legacy.pth.*save it again"):
        read_torch_file(FIXTURES / "legacy.pth")


def test_torchscript_is_named(tmp_path):
    path = write(tmp_path / "script.pt", tensor())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/constants.pkl", b"")
    with pytest.raises(ValueError, match="script.pt.*TorchScript"):
        read_torch_file(path)


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.pth"):
        read_torch_file(tmp_path / "absent.pth")
    page = tmp_path / "page.pth"
    page.write_text("<html>404</html>")
    with pytest.raises(ValueError, match="page.pth.*<html>"):
        read_torch_file(page)


def test_damaged_file_gives_the_weights_or_a_clear_error(tmp_path):
    whole = (FIXTURES / "state.pth").read_bytes()
    path = tmp_path / "damaged.pth"
    rng = np.random.default_rng(0)
    refused = 0
    for trial in range(400):
        data = bytearray(whole)
        if trial < 100:
            data = data[: rng.integers(len(data))]
        else:
            for position in rng.integers(len(data), size=3):
                data[position] = rng.integers(256)
        path.write_bytes(data)
        try:
            state = read_torch_file(path)
        except ValueError as error:
            assert "damaged.pth" in str(error)
            refused += 1
        else:
            assert state
    assert refused > 300
