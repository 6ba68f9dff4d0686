"""Detectors of two stages in training: learning, static shapes, memory."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxvision import models
from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.data.detection import detection_source
from jaxvision.data.detection_examples import DetectionEvalExample
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.stream import Stream
from jaxvision.losses.detection.fast_rcnn import FastRCNNMethod
from jaxvision.losses.detection.faster_rcnn import FasterRCNNMethod
from jaxvision.losses.detection.rcnn import RCNNMethod
from jaxvision.losses.detection.rpn import RPNMethod
from jaxvision.recipes.linear_machines import fit_machines
from jaxvision.tasks.two_stage_detection import TwoStageDetection

REGIONS = 64
REGION_METHOD = FastRCNNMethod(samples=32)


@pytest.fixture
def optimised():
    """Compiles as outside of tests: where hundreds of steps run, or memory is measured."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def shapes_stream(images=8, **options):
    # Selective search misses small objects in smaller pictures.
    side = 128 if options else 64
    source = detection_source("shapes", None, "train", length=images, image_size=side, **options)
    example = DetectionEvalExample(
        source, Letterbox((side, side)), max_proposals=REGIONS if options else 0
    )
    return source.classes, Stream(InOrder(images, images), example)


def faster_rcnn(classes):
    strides = (8, 16, 32)
    rpn = RPNMethod(
        (*strides, 64),
        tuple((2.0 * s,) for s in (*strides, 64)),
        pre_nms=(128, 128),
        post_nms=(64, 64),
    )
    model = models.faster_rcnn("tiny", num_classes=len(classes))
    method = FasterRCNNMethod(rpn, REGION_METHOD)
    return TwoStageDetection(model, method, classes, nms_threshold=0.5)


def with_regions(build, method, classes):
    model = build("tiny", num_classes=len(classes))
    return TwoStageDetection(model, FasterRCNNMethod(None, method), classes, nms_threshold=0.5)


fast_rcnn = functools.partial(with_regions, models.fast_rcnn, REGION_METHOD)
MACHINES = RCNNMethod(samples=32, box_weight=0.0, svm_c=0.1, box_ridge=1.0)
rcnn = functools.partial(with_regions, models.rcnn, MACHINES)
spp_net = functools.partial(with_regions, models.spp_net, MACHINES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "steps"), [(faster_rcnn, 300), (fast_rcnn, 200), (spp_net, 200), (rcnn, 100)]
)
def test_learns_eight_images_by_heart(optimised, build, steps):
    proposals = {} if build is faster_rcnn else {"proposals": "selective_search"}
    classes, stream = shapes_stream(**proposals)
    (batch,) = stream
    task = build(classes)
    params, state = jax.jit(task.init)(jax.random.key(3), batch)
    optimizer = optax.adam(optax.cosine_decay_schedule(1e-3, steps))
    opt_state = optimizer.init(params)
    used = {name: array for name, array in batch.items() if array.dtype != object}

    @jax.jit
    def step(params, state, opt_state, count):
        def objective(params):
            loss = task.loss(params, state, used, step=count, key=jax.random.key(count))
            return loss.value, loss

        grads, loss = jax.grad(objective, has_aux=True)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), loss.state, opt_state

    for i in range(steps):
        params, state, opt_state = step(params, state, opt_state, jnp.int32(i))
    assert step._cache_size() == 1
    if build in (rcnn, spp_net):
        params, state = fit_machines(task, stream, seed=0)(params, state)
    found = jax.jit(task.predict)(params, state, used, key=jax.random.key(0))
    metrics = task.measure(jax.device_get(found), batch).compute()
    assert metrics["AP50"] > 0.9


@pytest.mark.slow  # the parity of Faster R-CNN and the test of DenseDetection go through its parts
def test_regions_outside_of_the_wanted_classes_are_dropped():
    classes, stream = shapes_stream(images=2)
    (batch,) = stream
    task = faster_rcnn(classes)
    task = TwoStageDetection(task.model, task.method, classes, score_threshold=0.0, wanted=(1,))
    variables = jax.jit(task.init)(jax.random.key(0), batch)
    found = jax.jit(task.predict)(*variables, {"image": batch["image"]}, key=jax.random.key(0))
    assert found.valid.any()
    assert set(np.asarray(found.classes)[np.asarray(found.valid)]) == {1}


@pytest.mark.slow
def test_memory_of_a_step_of_the_reference_recipe(optimised):
    """Two images of 800 x 1216; the stem and the first stage are frozen, as in Detectron."""
    classes = tuple(map(str, range(80)))
    model = models.faster_rcnn("resnet50_fpn", num_classes=80)
    task = TwoStageDetection(model, FasterRCNNMethod(), classes)
    shape = jax.ShapeDtypeStruct
    batch = dict(
        image=shape((2, 800, 1216, 3), np.uint8),
        boxes=shape((2, 100, 4), np.float32),
        classes=shape((2, 100), np.int32),
        valid=shape((2, 100), bool),
    )
    params, state = jax.eval_shape(task.init, jax.random.key(0), batch)
    backbone = params.pop("backbone")
    frozen = {k: v for k, v in backbone.items() if k == "stem" or k.startswith("stage2")}
    trained = {k: v for k, v in backbone.items() if k not in frozen}

    def objective(trained, frozen, state, batch):
        params, backbone = trained
        params = {**params, "backbone": {**backbone, **frozen}}
        key = jax.random.key(0)
        return task.loss(params, state, batch, step=jnp.int32(0), key=key).value

    step = jax.jit(jax.value_and_grad(objective))
    compiled = step.lower((params, trained), frozen, state, batch).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 6 * 2**30
