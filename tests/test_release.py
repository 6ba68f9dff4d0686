"""What a release consists of: one version everywhere, a workflow that runs all, whole archives."""

import pathlib
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest
import yaml

import jaxvision

ROOT = pathlib.Path(__file__).parents[1]
GITHUB = ROOT / ".github"
PYTHONS = ["3.11", "3.12", "3.13"]


def read_yaml(path):
    return yaml.safe_load(path.read_text())


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def jobs():
    return read_yaml(GITHUB / "workflows" / "ci.yml")["jobs"]


def test_version_changelog_and_citation_agree(project):
    released = re.findall(
        r"^## (\S+?)(?:, (\d{4}-\d\d-\d\d))?$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    citation = read_yaml(ROOT / "CITATION.cff")
    version, date = released[0]
    assert version == jaxvision.__version__ == str(citation["version"])
    assert date == str(citation.get("date-released", ""))
    # Nowhere else: the package takes it from the module.
    assert "version" in project["project"]["dynamic"] and "version" not in project["project"]


def test_citation_has_what_the_format_asks_for(project):
    citation = read_yaml(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["license"] == project["project"]["license"]


def test_every_python_that_the_package_names_is_tested(project, jobs):
    named = [
        line.rpartition(" ")[2]
        for line in project["project"]["classifiers"]
        if re.search(r":: 3\.\d+$", line)
    ]
    assert named == PYTHONS == jobs["test"]["strategy"]["matrix"]["python"]
    assert project["project"]["requires-python"] == f">={PYTHONS[0]}"


def test_workflow_runs_tests_docs_and_package(jobs):
    commands = {
        name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()
    }
    assert commands["test"] == [".ci/run"]
    assert "zensical build --strict" in commands["docs"]
    assert {"python -m build", "twine check --strict dist/*"} <= set(commands["package"])
    for job in jobs.values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            # A typing error in a key would leave the step out without a word.
            assert ("uses" in step) != ("run" in step)
            assert set(step) <= {"uses", "run", "with", "name"}
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/any@v1"))


@pytest.mark.parametrize("name", ["bug", "model"])
def test_issue_form_asks_for_the_doctor(name):
    form = read_yaml(GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml")
    assert {"name", "description", "body"} <= set(form)
    asked = [field["attributes"]["label"] for field in form["body"] if "id" in field]
    assert "What does `jaxvision doctor` print?" in asked
    for field in form["body"]:
        assert field["type"] in ("markdown", "input", "textarea")
        assert field["type"] == "markdown" or field["attributes"]["label"]


@pytest.mark.slow
def test_archives_hold_what_they_need(tmp_path):
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "build", "--no-isolation", f"--outdir={tmp_path}", str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (sdist,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    stem = f"jaxvision-{jaxvision.__version__}"
    assert sdist.name == f"{stem}.tar.gz" and wheel.name == f"{stem}-py3-none-any.whl"

    configs = [path.name for path in (ROOT / "configs").glob("*.py")]
    with tarfile.open(sdist) as archive:
        held = {name.removeprefix(f"{stem}/") for name in archive.getnames()}
    assert {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "train.py", ".ci/run"} <= held
    assert {f"configs/{name}" for name in configs} <= held
    assert {"tests/conftest.py", "tests/test_release.py", "docs/scale.md"} <= held
    assert {"colabs/quickstart.ipynb", "pyproject.toml", "jaxvision/py.typed"} <= held
    assert not [name for name in held if re.search(r"__pycache__|^runs/|^site/|\.pyc$", name)]

    held = set(zipfile.ZipFile(wheel).namelist())
    assert {f"jaxvision/configs/{name}" for name in configs} <= held
    assert {"jaxvision/py.typed", f"{stem}.dist-info/licenses/LICENSE"} <= held
    assert {name.partition("/")[0] for name in held} == {"jaxvision", f"{stem}.dist-info"}
