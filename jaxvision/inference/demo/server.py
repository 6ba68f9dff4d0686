"""The demo's server: one page, and predictions for what it sends.

It is built on the standard library: five paths and one client need no framework. Nothing is
written to a disk, and nothing is asked of a network.
"""

import contextlib
import errno
import http.server
import importlib.resources
import json
import socket
import socketserver
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from jaxvision.inference.demo.answers import Answers
from jaxvision.inference.demo.requests import Refused, check_host, check_sender, content_length

# Requests that wait for the model or send their body; more are refused.
WAITING = 8
# Seconds without a byte after which a connection is closed.
_PATIENCE = 30.0
# Seconds in which the rest of a refused body is thrown away: a browser that is still sending does
# not read the answer when the connection is closed under it.
_REST = 2.0
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/boxes.js": ("boxes.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    # The page loads nothing from elsewhere and is shown in no other page.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' blob: data:; media-src blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}


class DemoServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves the page; predicts one input at a time.

    It is bound when it is made, so that a port in use is known before a model is loaded; until
    `answers` is set, requests wait.

    Attributes:
        host: That it listens at.
        port: The same.
        answers: Of the predictor.
        facts: What the page says of the run, as its name.
    """

    daemon_threads = True
    # On Windows it would let two servers have one port.
    allow_reuse_address = sys.platform != "win32"
    answers: Answers

    def __init__(self, host: str, port: int) -> None:
        """Binds the port.

        Args:
            host: A name or an address of this machine.
            port: 0 for any that is free.

        Raises:
            ValueError: If the port is in use or not allowed, or the host is not this machine.
        """
        self.host = host
        self.facts: Mapping[str, Any] = {}
        self.slots = threading.BoundedSemaphore(WAITING)
        self._model = threading.Lock()
        try:
            self.address_family = socket.getaddrinfo(host, port)[0][0]
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise ValueError(_why_not(error, host, port)) from error
        self.port: int = self.server_address[1]

    @property
    def url(self) -> str:
        """Address of the page."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{shown}:{self.port}/"

    def start(self, answers: Answers, facts: Mapping[str, Any]) -> None:
        """Compiles what most inputs need; after it requests may be served.

        Args:
            answers: Of the predictor.
            facts: What the page says of the run, as JSON.
        """
        answers.predict(answers.example())
        self.answers, self.facts = answers, facts

    def predict(self, found: Any) -> dict[str, Any]:
        """Predicts an input when those before it are done; adds the seconds that it took."""
        with self._model:
            start = time.perf_counter()
            answer = self.answers.predict(found)
            return {**answer, "seconds": time.perf_counter() - start}

    def finish(self) -> None:
        """Closes the port, and waits for a prediction that is going on."""
        self.server_close()
        self._model.acquire(timeout=_PATIENCE)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Reports an error in a thread, unless the browser only went away."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "jaxvision", ""
    timeout = _PATIENCE
    server: DemoServer

    def do_GET(self) -> None:
        """Answers with a file of the page, or with what it must know."""
        try:
            check_host(self.headers, self.server.host)
            path = self.path.partition("?")[0]
            if path == "/model":
                self._send_json(
                    HTTPStatus.OK, {**self.server.facts, **self.server.answers.describe()}
                )
            elif path in _FILES:
                name, kind = _FILES[path]
                page = importlib.resources.files("jaxvision.inference.demo") / "page" / name
                self._send(HTTPStatus.OK, kind, page.read_bytes())
            else:
                raise Refused(HTTPStatus.NOT_FOUND, f"there is no {path}")
        except Refused as refused:
            self._refuse(refused)

    def do_POST(self) -> None:
        """Answers with the prediction for the body."""
        if not self.server.slots.acquire(blocking=False):
            self._refuse(Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests wait already"))
            return
        try:
            found = self.server.answers.read(self._body())
            self._send_json(HTTPStatus.OK, self.server.predict(found))
        except Refused as refused:
            self._refuse(refused)
        except ValueError as error:
            self._refuse(Refused(HTTPStatus.BAD_REQUEST, str(error)))
        except ConnectionError:
            raise
        except Exception as error:  # a fault of the model: the page says it, the server goes on
            traceback.print_exc()
            reason = f"the prediction failed: {type(error).__name__}"
            self._refuse(Refused(HTTPStatus.INTERNAL_SERVER_ERROR, reason))
        finally:
            self.server.slots.release()

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing; a live camera asks several times a second."""

    def _body(self) -> bytes:
        """Reads the body of a request that may be answered."""
        check_host(self.headers, self.server.host)
        check_sender(self.headers)
        if self.path != "/predict":
            raise Refused(HTTPStatus.NOT_FOUND, f"there is no {self.path}")
        expected = self.server.answers.content
        kind = self.headers.get("Content-Type", "").lower()
        if not kind.startswith(expected):
            expected = "a picture (image/...)" if expected == "image/" else expected
            raise Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected {expected}, got {kind or 'no type'}"
            )
        length = content_length(self.headers, self.server.answers.limit)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the browser went away")
        return body

    def _send_json(self, status: HTTPStatus, value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        # Half a character, as in the name of a class, becomes an escape of JSON.
        body = text.encode(errors="backslashreplace")
        self._send(status, "application/json", body)

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, refused: Refused) -> None:
        self._send_json(refused.status, {"error": refused.reason})
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            end = time.monotonic() + _REST
            while (left := end - time.monotonic()) > 0:
                self.connection.settimeout(left)
                if not self.rfile.read1(1 << 16):
                    break


def _why_not(error: Exception, host: str, port: int) -> str:
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use; give another one as --port=N, or --port=0 for any "
            "that is free"
        )
    if code == errno.EACCES:
        return f"port {port} needs rights that you do not have; give one from 1024 on as --port=N"
    if isinstance(error, OverflowError):
        return f"--port must be from 0 to 65535, got {port}"
    return f"--host must be a name or an address of this machine, got {host}: {error}"
