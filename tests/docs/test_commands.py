"""Every command that README and documentation show: parsed here, run by the slow tests."""

import time

import pytest
from documented import TEXTS, Shown, blocks, check, check_python_block, shown, simple_commands

# Libraries that a page says how to install and that nothing here needs.
OTHERS = ("openvino",)


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.stem)
def test_every_command_has_a_config_and_flags_that_exist(path):
    wrong = []
    for command in shown(path):
        try:
            check(command)
        except (ValueError, OSError) as error:
            wrong.append(f"{command.place}: {command.text}\n    {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.stem)
def test_every_block_of_python_imports_what_exists(path):
    for place, _, content in blocks(path, "python"):
        try:
            check_python_block(content)
        except (SyntaxError, ImportError) as error:
            if getattr(error, "name", None) in OTHERS:
                continue
            raise AssertionError(f"{place}: {error}") from error


def test_blocks_are_of_known_languages():
    # A command in a block without a language would be checked by nobody.
    known = {"bash", "python", "json", "yaml", "xml", "text"}
    for path in TEXTS:
        fences = [line for line in path.read_text().splitlines() if line.startswith("```")]
        for opening in fences[::2]:
            assert opening[3:].split(" ")[0] in known, f"{path.name}: {opening}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("python train.py --config configs/yolo.py", "yolo"),
        ("python train.py --config configs/yolox.py:tiny,vox", "got vox"),
        ("python train.py --config configs/yolox.py --config.epoch=2", "did you mean epochs"),
        ("python train.py --config configs/yolox.py --config.epochs=two", "epochs"),
        ("python train.py --config configs/yolox.py --wordir=x", "wordir"),
        ("pip install -e . && jaxvision train --config=yolox --epochs=2", "config.epochs"),
        ("jaxvision predikt runs/yolox", "no command predikt"),
        ("jaxvision predict runs/yolox a.jpg --treshold=0.3", "--treshold"),
        ("jaxvision evaluate", "wrong arguments"),
        ("jaxvision info runs/yolox more", "has no more"),
        ('eval "$(jaxvision completion tcsh)"', "wrong arguments"),
        ("python examples/none.py", "there is no"),
        ("python examples/own_task.py --stepz=3", "--stepz"),
        ("python -m pytest --slow", "--slow"),
        ("pip install -e '.[cuda11]'", "no extra cuda11"),
        ("jaxvison train --config=yolox", "no program"),
        ("--config.data.pth", "no command has the flag"),
    ],
)
def test_a_wrong_command_is_found(text, message, capsys):
    with pytest.raises((ValueError, OSError), match=message):
        check(Shown("here", text, inline=False))


def test_a_line_is_split_as_the_shell_does():
    assert simple_commands("A=1 python train.py --x='a b' && cat y | jaxvision info r # no") == [
        ["python", "train.py", "--x=a b"],
        ["cat", "y"],
        ["jaxvision", "info", "r"],
    ]
    assert simple_commands('eval "$(jaxvision completion bash)"') == [
        ["jaxvision", "completion", "bash"]
    ]


def test_all_commands_together_are_checked_in_two_seconds():
    started = time.process_time()
    commands = [command for path in TEXTS for command in shown(path)]
    assert len(commands) > 100
    trained = [found for command in commands for found in check(command)]
    assert len(trained) > 40
    assert time.process_time() - started < 4
