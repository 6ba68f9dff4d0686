"""`jaxvision demo` as a command: what it prints, and how it ends."""

import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from jaxvision.cli.main import main


def test_port_in_use_is_said_before_a_run_is_loaded(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["demo", "no_run", f"--port={port}"]) == 2
    assert capsys.readouterr().err == (
        f"error: port {port} of 127.0.0.1 is in use; give another one as --port=N, or --port=0 for "
        "any that is free\n"
    )


def test_missing_run_is_one_line(capsys, tmp_path):
    assert main(["demo", str(tmp_path / "none"), "--port=0"]) == 2
    assert capsys.readouterr().err.startswith("error: expected the work directory of a run")
    assert main(["demo", "none", "--max-upload=0"]) == 2
    assert "--max-upload must be above 0 megabytes" in capsys.readouterr().err


# The command in a process of its own, with a detector in place of a run.
_PROGRAM = """
import sys
from painted import painted
from jaxvision.cli import demo
from jaxvision.cli.main import main
demo.load_run = lambda run, step: painted()
sys.exit(main(["demo", "runs/yolox", "--port=0", *sys.argv[1:]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_page_is_served_until_ctrl_c(host, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    command = [sys.executable, "-c", _PROGRAM, f"--host={host}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path) as process:
        url = process.stdout.readline().strip()
        assert url.startswith(f"http://{host}:")
        with urllib.request.urlopen(url.replace(host, "127.0.0.1"), timeout=20) as reply:
            assert b"page.js" in reply.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        said = process.stderr.read().splitlines()
    warned = ["warning" in line for line in said]
    assert said[0] == "compiling yolox" and any(warned) == (host == "0.0.0.0")
    assert len(said) == 2 + sum(warned) and list(tmp_path.iterdir()) == []
