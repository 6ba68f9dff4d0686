"""The demo's server, asked as a program, a browser and another page would."""

import base64
import http.client
import json
import threading
import time
import zlib

import cv2
import numpy as np
import pytest
from coloured import classifier
from painted import painted
from served import LIMIT, Shouting, served
from striped import striped

from jaxvision.inference.demo.server import WAITING, DemoServer
from jaxvision.inference.exported import ExportedDetector

# The second overlaps the first by an IoU of 0.74, the third is of another class; pixels of 64.
BOXES = ((20, 20, 20, 20, 1, 0.9), (23, 20, 20, 20, 1, 0.6), (20, 20, 20, 20, 0, 0.5))
WEAK = (50, 50, 8, 8, 0, 0.1)


@pytest.fixture(scope="module")
def server():
    with served(painted(*BOXES, WEAK)) as made:
        yield made


def encoded(image, suffix=".png"):
    return cv2.imencode(suffix, image)[1].tobytes()


PICTURE = encoded(np.full((64, 128, 3), 9, np.uint8))


def ask(server, body=None, kind="image/png", path="/predict", **headers):
    """Returns status and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        headers = {"Content-Type": kind, **headers}
    connection.request("GET" if body is None else "POST", path, body, headers)
    reply = connection.getresponse()
    found = reply.read()
    connection.close()
    return reply.status, json.loads(found) if reply.headers[
        "Content-Type"
    ] == "application/json" else found


def test_page_comes_from_the_server_alone(server):
    status, page = ask(server, path="/")
    assert status == 200 and b"page.js" in page
    for path in ("/page.js", "/page.css", "/boxes.js"):
        status, found = ask(server, path=path)
        assert status == 200 and b"//" not in found.replace(b"// ", b"")
    assert ask(server, path="/../server.py")[0] == 404
    status, model = ask(server, path="/model")
    assert (model["kind"], model["classes"], model["name"]) == ("detector", ["cat", "dög"], "run")
    assert (model["limit"], model["threshold"], model["iou"]) == (LIMIT, 0.3, 0.65)


def test_picture_gives_boxes_that_are_not_yet_suppressed(server):
    status, found = ask(server, PICTURE)
    assert (status, found["width"], found["height"]) == (200, 128, 64)
    # The weak one is above the lowest score of the slider, too.
    assert [(kind, score) for kind, score, *_ in found["objects"]] == [
        (1, 0.9),
        (1, 0.6),
        (0, 0.5),
        (0, 0.1),
    ]
    np.testing.assert_allclose(found["objects"][0][2:], [20, 20, 60, 60], atol=0.01)
    assert found["seconds"] > 0


def test_an_exported_file_gives_the_same_boxes(server):
    made = painted(*BOXES, WEAK)
    opened = ExportedDetector(
        lambda images: made.task.decoded({}, {}, {"image": images})._asdict(),
        made.task,
        made.transform,
    )
    with served(opened) as other:
        (_, found), (_, wanted) = ask(other, PICTURE), ask(server, PICTURE)
    assert found["objects"] == wanted["objects"]


def test_segmenter_gives_shares_and_its_colours_as_a_picture():
    image = np.zeros((32, 48, 3), np.uint8)
    image[:, :12, 1], image[:, 12:, 0] = 200, 200  # a quarter green, the rest background
    with served(striped()) as made:
        status, model = ask(made, path="/model")
        assert (model["kind"], model["classes"]) == ("segmenter", ["background", "green", "blue"])
        status, found = ask(made, encoded(image[..., ::-1]))
    assert status == 200 and found["classes"] == [["background", 0.75], ["green", 0.25]]
    head, _, data = found["overlay"].partition(",")
    assert head == "data:image/png;base64"
    data = np.frombuffer(base64.b64decode(data), np.uint8)
    overlay = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert (overlay[:, :12, 3] == 255).all() and (overlay[:, 12:, 3] == 0).all()
    assert overlay[0, 0, 2::-1].tolist() == model["colours"][1]


def test_what_is_no_picture_is_refused(server):
    status, found = ask(server, b"no picture")
    assert status == 415 and found["error"].startswith("expected a picture, as PNG")
    status, found = ask(server, PICTURE[:-20])
    assert status == 415 and "truncated" in found["error"]
    assert ask(server, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml")[0] == 415
    status, found = ask(server, PICTURE, "text/plain")
    assert status == 415 and found["error"] == "expected a picture (image/...), got text/plain"


def test_limits_are_checked_before_anything_is_read_or_decoded(server):
    status, found = ask(server, bytes(LIMIT + 1))
    assert (status, found["error"]) == (413, "expected at most 30,000 bytes, got 30,001")
    # Refused by its header, though no body ever comes.
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", "/predict")
    for name, value in (("Content-Type", "image/png"), ("Content-Length", str(10**12))):
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    for length in ("-1", "1e3", "²"):
        assert ask(server, b"", Content_Length=length.encode("latin-1"))[0] == 411
    # A few bytes that hold many pixels: the header of 8,000 x 8,001.
    large = bytearray(PICTURE)
    large[16:24] = (8000).to_bytes(4) + (8001).to_bytes(4)
    large[29:33] = zlib.crc32(large[12:29]).to_bytes(4)
    status, found = ask(server, bytes(large))
    assert status == 413 and "at most 64 million pixels" in found["error"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "10.0.0.1", "", "[", "localhost.evil"]
)
def test_other_host_is_refused(server, host):
    assert ask(server, PICTURE, Host=host)[0] == 403
    assert ask(server, path="/", Host=host)[0] == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:80"])
def test_own_host_is_answered(server, host):
    assert ask(server, PICTURE, Host=host, Origin=f"http://{host}")[0] == 200


def test_other_pages_are_refused(server):
    here = f"127.0.0.1:{server.port}"
    for origin in ("http://evil.example", "null", f"https://{here}", "http://127.0.0.1:9"):
        assert ask(server, PICTURE, Origin=origin)[0] == 403
    assert ask(server, PICTURE, Sec_Fetch_Site="cross-site")[0] == 403
    assert ask(server, PICTURE, Sec_Fetch_Site="same-origin", Origin=f"http://{here}")[0] == 200


def test_server_that_is_open_to_others_has_addresses():
    with served(Shouting(), host="0.0.0.0") as server:
        assert ask(server, path="/", Host="192.168.1.2:8000")[0] == 200
        assert ask(server, path="/", Host="evil.example")[0] == 403


def test_requests_are_predicted_one_at_a_time_and_wait_in_a_short_queue():
    running, most = 0, 0
    entered, proceed = threading.Event(), threading.Event()

    class Slow(Shouting):
        def __call__(self, inputs):
            nonlocal running, most
            running += 1
            most = max(most, running)
            entered.set()
            assert proceed.wait(20)
            running -= 1
            return super().__call__(inputs)

    proceed.set()
    with served(Slow()) as server:
        proceed.clear()
        entered.clear()
        found = []
        body = json.dumps({"text": "a"})
        threads = [
            threading.Thread(target=lambda: found.append(ask(server, body, "application/json")[0]))
            for _ in range(WAITING)
        ]
        for thread in threads:
            thread.start()
        assert entered.wait(20)
        end = time.monotonic() + 20
        while server.slots._value and time.monotonic() < end:
            time.sleep(0.01)
        assert ask(server, body, "application/json")[0] == 503
        proceed.set()
        for thread in threads:
            thread.join()
    assert found == [200] * WAITING and most == 1


def test_classes_of_a_picture():
    with served(classifier()) as server:
        assert ask(server, path="/model")[1]["kind"] == "classifier"
        image = np.full((20, 12, 3), (127, 255, 0), np.uint8)
        status, found = ask(server, encoded(image, ".jpg"), "image/jpeg")
    assert status == 200 and found["names"] == ["grün"]
    assert [name for name, _ in found["classes"]] == ["grün", "blau", "rot"]
    assert sum(share for _, share in found["classes"]) == pytest.approx(1)


def test_translations_of_lines():
    with served(Shouting()) as server:

        def translate(text):
            return ask(server, json.dumps({"text": text}), "application/json; charset=utf-8")

        assert translate("ein Hund\n\n zwei ")[1]["lines"] == ["EIN HUND", "", "ZWEI"]
        assert translate("")[1]["lines"] == []
        status, found = translate("too long")
        assert (status, found["error"]) == (400, "sentences must have at most 4 tokens")
        for body in ("no json", "[]", "{}", '{"text": 1}', '{"text": "\\ud800"}', "[" * 9000):
            assert ask(server, body, "application/json")[0] == 400
        # A form of another page can send this type without asking.
        assert ask(server, '{"text": "a"}', "text/plain")[0] == 415


def test_fault_of_the_model_does_not_end_the_server(capfd):
    class Broken(Shouting):
        def __call__(self, inputs):
            if "b" in inputs:
                raise RuntimeError("out of memory")
            return super().__call__(inputs)

    with served(Broken()) as server:
        status, found = ask(server, '{"text": "b"}', "application/json")
        assert (status, found["error"]) == (500, "the prediction failed: RuntimeError")
        assert ask(server, '{"text": "c"}', "application/json")[0] == 200
    assert "out of memory" in capfd.readouterr().err


def test_port_in_use_is_one_line(server):
    with pytest.raises(ValueError, match=f"^port {server.port} of 127.0.0.1 is in use; give"):
        DemoServer("127.0.0.1", server.port)
    with pytest.raises(ValueError, match="^--port must be from 0 to 65535, got 65536$"):
        DemoServer("127.0.0.1", 65536)
    with pytest.raises(ValueError, match="^--host must be a name or an address of this machine"):
        DemoServer("203.0.113.1", 0)
