"""The demo's server in a thread, and a translator that needs no training."""

import contextlib
import threading

from jaxvision.inference.demo.kinds import answers
from jaxvision.inference.demo.server import DemoServer
from jaxvision.inference.translator import SentenceTranslation, Translator

# Bytes of a picture.
LIMIT = 30_000


class Shouting(Translator):
    """Stands for a translator."""

    def __init__(self):
        pass

    def __call__(self, inputs):
        if any("long" in each for each in inputs):
            raise ValueError("sentences must have at most 4 tokens")
        return [SentenceTranslation(each, each.upper(), 0.0, self) for each in inputs]


@contextlib.contextmanager
def served(predictor, host="127.0.0.1"):
    server = DemoServer(host, 0)
    server.start(answers(predictor, LIMIT), {"name": "run", "step": 7})
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.finish()
