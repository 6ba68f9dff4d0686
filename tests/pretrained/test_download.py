import hashlib
import http.server
import threading

import pytest

from jaxvision.cli.main import main
from jaxvision.models import variants
from jaxvision.pretrained import download as module
from jaxvision.pretrained.download import cached, download
from jaxvision.pretrained.families import FAMILIES
from jaxvision.pretrained.released import RELEASED, Released, released

CONTENT = bytes(range(256)) * 8
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file, whole or from where a client asks, and closes early where it is told to."""

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.asked.append(asked)
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://example.com/file.pth")
            self.end_headers()
            return
        if self.path != "/file.pth":
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.end_headers()
            return
        rest = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: server.most])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.asked, served.ranges, served.most = [], True, None
    thread = threading.Thread(target=served.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


def item(server, sha256=DIGEST[:8], name="file.pth"):
    url = f"http://127.0.0.1:{server.server_address[1]}/{name}"
    return Released("resnet50", url, "nobody", "MIT", sha256)


def test_file_is_downloaded_verified_and_not_again(server, tmp_path):
    seen = []
    wanted = item(server)
    file, digest = download(wanted, tmp_path / "new", progress=lambda *x: seen.append(x))
    assert file.read_bytes() == CONTENT and digest == DIGEST
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [x.name for x in file.parent.iterdir()] == ["file.pth"]
    assert download(wanted, tmp_path / "new") == (file, digest) and len(server.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_broken_download_continues_where_it_was(server, tmp_path, ranges):
    server.most, server.ranges = 100, ranges
    with pytest.raises(OSError, match="the same command continues"):
        download(item(server), tmp_path)
    assert (tmp_path / "file.pth.part").stat().st_size == 100
    server.most = None
    assert download(item(server), tmp_path)[0].read_bytes() == CONTENT
    # A server that knows no ranges sends everything, which takes the place of the part.
    assert server.asked == [None, "bytes=100-"]


def test_part_that_is_complete_is_taken(server, tmp_path):
    (tmp_path / "file.pth.part").write_bytes(CONTENT)
    assert download(item(server), tmp_path)[0].read_bytes() == CONTENT


def test_part_that_is_longer_than_the_file_is_none_of_it(server, tmp_path):
    (tmp_path / "file.pth.part").write_bytes(CONTENT + b"more")
    with pytest.raises(OSError, match="was not a part of .* and is deleted; try again"):
        download(item(server, ""), tmp_path)
    assert not list(tmp_path.iterdir())


def test_file_with_another_checksum_is_refused(server, tmp_path):
    with pytest.raises(ValueError, match="SHA-256 that begins with 00000000, got"):
        download(item(server, "00000000"), tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file.pth").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="delete it to download it again"):
        download(item(server), tmp_path)


def test_only_safe_addresses_are_asked(server, tmp_path):
    for url in ("http://example.com/a.pth", "file:///etc/passwd", "ftp://127.0.0.1/a.pth"):
        with pytest.raises(ValueError, match="begins with https://"):
            download(Released("resnet50", url, "nobody", "MIT"), tmp_path)
    with pytest.raises(ValueError, match="begins with https://, got http://example.com"):
        download(item(server, name="away"), tmp_path)
    with pytest.raises(OSError, match="the server answers 404"):
        download(item(server, name="nothing.pth"), tmp_path)


def test_names_of_files_never_leave_the_folder():
    for url in ("https://x.org/..", "https://x.org/a/..%2f..%2fb.pth", "https://x.org/.a"):
        name = Released("resnet50", url, "nobody", "MIT").file
        assert "/" not in name and not name.startswith(".")


def test_table_names_variants_that_can_be_read_and_https_addresses():
    read = {name for family in FAMILIES for name in family.names}
    for name, row in RELEASED.items():
        assert row.variant in read and row.variant in variants()
        assert name.partition(".")[0] == row.variant
        assert row.url.startswith("https://") and row.licence
        assert row.file.endswith((".pth", ".npz"))
    assert len({row.file for row in RELEASED.values()}) == len(RELEASED)
    assert RELEASED["resnet50"].sha256 == "0676ba61" and RELEASED["yolox_s"].sha256 == ""


def test_cache_says_which_command_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXVISION_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="run: jaxvision download resnet50"):
        cached("resnet50")
    (tmp_path / "resnet50-0676ba61.pth").touch()
    assert cached("resnet50") == tmp_path / "resnet50-0676ba61.pth"
    with pytest.raises(ValueError, match="name must be one of resnet50"):
        released("resnet51")


def test_command_downloads_and_says_what_it_could_not_verify(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(RELEASED, "yolox_s", item(server, ""))
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    assert main(["download", "yolox_s", f"--out={tmp_path}"]) == 0
    printed = capsys.readouterr().out
    assert f"not verified, for nobody publishes no checksum: SHA-256 {DIGEST}" in printed
    assert f"--config.weights={tmp_path / 'file.pth'}" in printed
    monkeypatch.setitem(RELEASED, "resnet50", item(server))
    assert main(["download", "resnet50"]) == 0
    printed = capsys.readouterr().out
    assert "verified: SHA-256" in printed and "--config.weights=resnet50" in printed
    assert main(["download", "resnet51"]) == 2
    assert main(["download"]) == 0
    assert "BSD-3-Clause" in capsys.readouterr().out
