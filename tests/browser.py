"""A headless Chromium for tests of pages, driven by the DevTools protocol over a pipe."""

import base64
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, _NAMES)), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
# No sandbox: tests may run as root, and open their own pages alone.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-pipe",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


class Page:
    """A tab.

    Attributes:
        errors: What the page's scripts wrote as errors, or threw.
        requests: Address of each request that the page made.
    """

    def __init__(self, write, read):
        self._write, self._read = write, read
        self._numbers = itertools.count(1)
        self._rest = b""
        self._session = None
        self.errors, self.requests = [], []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self(f"{domain}.enable")

    def __call__(self, method, **parameters):
        """Sends a command of the protocol; returns its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._message()
            if found.get("id") == number:
                assert "error" not in found, f"{method}: {found['error']}"
                return found["result"]
            self._note(found)

    def open(self, url, width=1280, height=800, dark=False):
        """Opens an address in a window of a size."""
        scheme = "dark" if dark else "light"
        self(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def value(self, expression):
        """Returns what JavaScript computes, waiting for promises."""
        found = self(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression, seconds=60):
        """Waits until JavaScript computes a true value; returns it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.value(expression):
                return found
            time.sleep(0.05)
        raise AssertionError(f"{expression} stayed false for {seconds} s; errors: {self.errors}")

    def upload(self, selector, *files):
        """Chooses files in an input."""
        root = self("DOM.getDocument")["root"]["nodeId"]
        node = self("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def screenshot(self, file, whole=False):
        """Writes what the window shows, or the whole page, to a PNG file."""
        data = self("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        pathlib.Path(file).write_bytes(base64.b64decode(data))

    def _message(self):
        while b"\0" not in self._rest:
            found = os.read(self._read, 1 << 20)
            assert found, "the browser ended"
            self._rest += found
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event):
        method, values = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(values["exceptionDetails"]["text"])
        elif method == "Log.entryAdded" and values["entry"]["level"] == "error":
            self.errors.append(values["entry"]["text"])


@contextlib.contextmanager
def browser():
    """Starts a browser with a new profile; gives a page."""
    (theirs, write), (read, their_answers) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory() as profile:
        # The protocol's pipe is descriptors 3 and 4.
        started = ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{their_answers}', "_", CHROMIUM]
        process = subprocess.Popen(
            [*started, *_FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(theirs, their_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(their_answers)
        try:
            yield Page(write, read)
        finally:
            process.terminate()
            process.wait(20)
            os.close(write)
            os.close(read)
