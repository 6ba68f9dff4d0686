import os
import signal
import subprocess
import sys

import pytest

from jaxvision.cli import huge_pages

HELPS = "always [madvise] never\n"


class Restarted(Exception):
    pass


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A Linux machine whose kernel waits to be asked, without an accelerator."""
    setting = tmp_path / "enabled"
    setting.write_text(HELPS)
    monkeypatch.setattr(huge_pages, "_SETTING", setting)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "confstr_names", {"CS_GNU_LIBC_VERSION": 2})
    monkeypatch.setattr(os, "confstr", lambda name: "glibc 2.35")
    for name in ("GLIBC_TUNABLES", "LD_PRELOAD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")

    def execve(path, command, environment):
        raise Restarted(path, command, environment)

    monkeypatch.setattr(os, "execve", execve)
    return setting


def test_restarts_with_the_same_command(machine, monkeypatch, capsys):
    monkeypatch.setattr(sys, "orig_argv", ["python", "-X", "dev", "-m", "some.module", "train"])
    monkeypatch.setenv("OTHER", "kept")
    with pytest.raises(Restarted) as restarted:
        huge_pages.restart_with_huge_pages()
    path, command, environment = restarted.value.args
    assert path == sys.executable
    assert command == [sys.executable, "-X", "dev", "-m", "some.module", "train"]
    assert environment["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
    assert environment["OTHER"] == "kept"
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("name", ["GLIBC_TUNABLES", "LD_PRELOAD"])
def test_stays_as_it_is_where_the_user_chose(machine, monkeypatch, name):
    monkeypatch.setenv(name, "")
    huge_pages.restart_with_huge_pages()


@pytest.mark.parametrize("setting", ["[always] madvise never", "always madvise [never]", None])
def test_stays_as_it_is_where_the_kernel_need_not_or_must_not_be_asked(machine, setting):
    machine.unlink() if setting is None else machine.write_text(setting)
    huge_pages.restart_with_huge_pages()


@pytest.mark.parametrize("version", ["glibc 2.34", "musl 1.2", None])
def test_stays_as_it_is_where_malloc_does_not_ask(machine, monkeypatch, version):
    monkeypatch.setattr(os, "confstr", lambda name: version)
    huge_pages.restart_with_huge_pages()


def test_stays_as_it_is_on_other_systems(machine, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    huge_pages.restart_with_huge_pages()


def test_stays_as_it_is_with_an_accelerator(machine, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    huge_pages.restart_with_huge_pages()
    monkeypatch.delenv("JAX_PLATFORMS")
    monkeypatch.setattr(huge_pages.importlib.metadata, "entry_points", lambda group: [group])
    huge_pages.restart_with_huge_pages()


# Runs as a command would, and waits for a signal if it is given an argument.
PROGRAM = """
import os, pathlib, signal, sys, time
from jaxvision.cli import huge_pages
# A background job of a shell inherits that Ctrl-C is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
huge_pages._SETTING = pathlib.Path(os.environ["SETTING"])
huge_pages.restart_with_huge_pages()
try:
    print(os.getpid(), os.environ.get("GLIBC_TUNABLES"), "jax" in sys.modules, flush=True)
    time.sleep(60 * (len(sys.argv) - 1))
except KeyboardInterrupt:
    sys.exit(130)
sys.exit(7)
"""


@pytest.mark.parametrize("interrupt", [False, True])
def test_process_number_exit_code_and_ctrl_c_survive(tmp_path, interrupt):
    if not huge_pages._glibc_asks():
        pytest.skip("not glibc 2.35 or newer")
    program, setting = tmp_path / "program.py", tmp_path / "enabled"
    program.write_text(PROGRAM)
    setting.write_text(HELPS)
    hidden = ("GLIBC_TUNABLES", "LD_PRELOAD")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= dict(
        SETTING=str(setting), JAX_PLATFORMS="cpu", PYTHONPATH=os.pathsep.join(sys.path)
    )
    process = subprocess.Popen(
        [sys.executable, program, *["wait"] * interrupt],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "starting again" in process.stdout.readline()
    line = process.stdout.readline()
    assert line.split() == [str(process.pid), "glibc.malloc.hugetlb=1", "False"]
    if interrupt:
        process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert rest == ""
    assert process.returncode == (130 if interrupt else 7)
