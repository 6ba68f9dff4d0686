"""Settings of a test run, made before jax starts and inherited by every process of the run."""

import atexit
import gc
import importlib.metadata
import os
import shutil
import tempfile

# Several devices, so that sharding is tested on any machine.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
).strip()
# Most of a run is compiling: the workers and the commands that they start share what is compiled.
# The folder is empty at first, so that no test passes on the code of an earlier run.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="jaxvision-tests-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
# Networks of a few pixels run once: compiling quickly matters, running quickly does not.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
# The older of two ways to compile fused operations is faster; newer versions have but one.
if importlib.metadata.version("jax").startswith("0.10."):
    os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"

import jax

# Traces are millions of objects that live as long as jax's caches: to look through them again and
# again for garbage takes an eighth of the processor time.
gc.freeze()
gc.set_threshold(100_000, 20, 50)

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config):
    """Lets a worker compile what it finds half written by another."""
    config.addinivalue_line("filterwarnings", "ignore:Error reading persistent compilation cache")
