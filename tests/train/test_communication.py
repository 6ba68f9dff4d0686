"""What the devices tell each other in a step, read from the compiled program."""

import collections
import math
import re

import jax
import numpy as np
from toy import NormedTask

from jaxvision import models
from jaxvision.tasks.classification import ImageClassification
from jaxvision.train import sharding
from jaxvision.train.compiled import CompiledStep
from jaxvision.train.ema import constant_decay
from jaxvision.train.optim import optimizer
from jaxvision.train.sharding import STATE_SHARDINGS, cut, replicated
from jaxvision.train.state import Average, TrainState
from jaxvision.train.step import make_step

DEVICES = 4
CONVOLUTION = "['backbone']['patch_embedding']['kernel']"
OTHERS = ("all-to-all", "collective-permute", "collective-broadcast", "ragged-all-to-all")


def vit():
    classes = tuple(map(str, range(100)))
    options = dict(image_size=16, patch=4, width=128, depth=1, heads=2)
    model = models.classifier("vit_ti_16", num_classes=100, **options)
    batch = {"image": np.zeros((16, 16, 16, 3), np.uint8), "label": np.zeros(16, np.int32)}
    return ImageClassification(model, classes, label_smoothing=0.1), batch


def normed():
    """Two dense layers with BatchNorm over 4 channels each."""
    return NormedTask(), {"x": np.zeros((16, 3), np.float32), "y": np.zeros(16, np.float32)}


class Program:
    """The instructions of a compiled step.

    Attributes:
        params: Shapes of the parameters, by name.
        cut: Names of those that the devices share.
    """

    def __init__(self, task, batch, rule, monkeypatch):
        compiled, compile = [], jax.stages.Lowered.compile

        def quickly(lowered):
            compiled.append(compile(lowered, {"xla_backend_optimization_level": 0}))
            return compiled[-1]

        monkeypatch.setattr(jax.stages.Lowered, "compile", quickly)
        mesh = sharding.data_mesh(DEVICES)
        adamw = optimizer("adamw", 1e-3, weight_decay=0.05, clip_norm=1.0)

        def create(key):
            params, state = task.init(key, batch)
            average = Average(params, state)
            return TrainState(np.zeros((), np.int32), params, state, adamw.init(params), average)

        shapes = jax.eval_shape(create, jax.random.key(0))
        shardings = STATE_SHARDINGS[rule](mesh, shapes)

        def placed(x, place):
            return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place)

        state = jax.tree.map(placed, shapes, shardings)
        arrays = {name: placed(x, cut(mesh)) for name, x in batch.items()}
        key = placed(jax.eval_shape(lambda: jax.random.key(0)), replicated(mesh))
        step = CompiledStep(make_step(task, adamw, constant_decay(0.9)), mesh)
        step.prepare(state, arrays, key)
        self._lines = compiled[-1].as_text().splitlines()
        paths = jax.tree_util.tree_flatten_with_path(state.params)[0]
        self.params = {jax.tree_util.keystr(path): x.shape for path, x in paths}
        self.cut = [jax.tree_util.keystr(p) for p, x in paths if not x.sharding.is_fully_replicated]
        self.instructions = {}
        for line in self._lines:
            if found := re.match(r" +(?:ROOT )?%([\w.\-]+) = (.*)", line):
                self.instructions[found[1]] = found[2]

    def all(self, kind):
        """Names and the shapes of the results of all instructions of a kind."""
        found = {}
        for name, text in self.instructions.items():
            if match := re.match(rf"(.*?) {kind}(-start)?\(", text):
                sides = re.findall(r"\w+\[([\d,]*)\]", match[1])
                found[name] = [tuple(map(int, filter(None, x.split(",")))) for x in sides]
        return found

    def gradients(self, names=None):
        """Sizes of the gradients of all parameters, or some, but for the convolution's kernel."""
        names = self.params if names is None else names
        return sorted(math.prod(self.params[name]) for name in names if name != CONVOLUTION)

    def sizes(self, kind):
        """The number of values of each result."""
        return [math.prod(shape) for shapes in self.all(kind).values() for shape in shapes]

    def users(self, name):
        used = re.compile(rf"%{re.escape(name)}(?![\w.\-])")
        return [user for user, text in self.instructions.items() if used.search(text)]

    def is_only_sliced(self, name):
        """Whether of an array each device uses its part alone."""
        users = self.users(name)
        return bool(users) and all(self._slices(name, user) for user in users)

    def _slices(self, name, user):
        text = self.instructions[user]
        kind = re.search(r" ([\w\-]+)\(", text)[1]
        if kind == "dynamic-slice":
            return True
        if kind in ("copy", "transpose", "bitcast", "reshape"):
            return self.is_only_sliced(user)
        if kind not in ("fusion", "call"):
            return False
        # Follow it into the function, by the position of the argument.
        arguments = re.search(rf" {kind}\((.*?)\)", text)[1]
        position = [a.split("%")[-1] for a in arguments.split(", ")].index(name)
        function = re.search(r"(?:calls|to_apply)=%([\w.\-]+)", text)[1]
        return self.is_only_sliced(self._parameter(function, position))

    def _parameter(self, function, position):
        inside = False
        for line in self._lines:
            inside = inside or line.startswith(f"%{function} ")
            if inside and f" parameter({position})" in line:
                return re.match(r" +(?:ROOT )?%([\w.\-]+) =", line)[1]
        raise AssertionError(f"{function} has no parameter {position}")


def test_whole_parameters_need_one_exchange_of_gradients_and_nothing_else(monkeypatch):
    program = Program(*vit(), "replicated", monkeypatch)
    assert not any(program.all(kind) for kind in ("all-gather", "reduce-scatter", *OTHERS))
    assert len(program.all("all-reduce")) == 1
    # The gradients, and two numbers: loss and accuracy.
    found = collections.Counter(program.sizes("all-reduce"))
    wanted = collections.Counter([1, 1, *program.gradients()])
    assert not wanted - found
    # The rest is the gradient of the convolution, of which CPUs add up what it is made of.
    assert 4 * 4 * 3 * 128 <= sum((found - wanted).elements()) <= 16 * (4 * 4 * 3 * 128)


def test_batch_norm_exchanges_its_statistics_forth_and_back_besides(monkeypatch):
    program = Program(*normed(), "replicated", monkeypatch)
    assert not any(program.all(kind) for kind in ("all-gather", "reduce-scatter", *OTHERS))
    params, channels = sum(map(math.prod, program.params.values())), 2 * 4
    # Forth: mean and mean square; back: the gradients of both, but for those of scale and bias,
    # which are gradients of parameters too.
    assert sum(program.sizes("all-reduce")) <= params + 4 * channels + 1
    assert len(program.all("all-reduce")) <= 2 * 2 + 1


def test_cut_parameters_are_gathered_and_their_gradients_sliced(monkeypatch):
    program = Program(*vit(), "fsdp", monkeypatch)
    assert not any(program.all(kind) for kind in OTHERS)
    assert len(program.cut) == 6
    parameters = sorted(math.prod(program.params[name]) for name in program.cut)
    # Each parameter is put together once, and nothing else is.
    assert sorted(program.sizes("all-gather")) == parameters
    # XLA has no reduce-scatter on CPUs. There it adds a gradient up and gives each device its
    # part, which compilers for GPU and TPU turn into a reduce-scatter.
    gradients, seen = program.gradients(program.cut), []
    for name in program.all("all-reduce"):
        for part in program.users(name):
            found = re.match(r"\w+\[([\d,]*)\]\S* get-tuple-element", program.instructions[part])
            size = math.prod(map(int, filter(None, found[1].split(","))))
            if size in gradients:
                assert program.is_only_sliced(part), program.instructions[part]
                seen.append(size)
    assert sorted(seen) == gradients
