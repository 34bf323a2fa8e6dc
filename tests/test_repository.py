"""The files around the source keep what they promise."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()


def run(*command: str, cwd: Path = ROOT) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def text_files() -> dict[str, str]:
    """What git would commit, without what is not text."""
    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    contents = {name: (ROOT / name).read_bytes() for name in names if (ROOT / name).is_file()}
    return {name: content.decode() for name, content in contents.items() if b"\0" not in content}


def test_make_help_lists_every_target() -> None:
    targets = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert targets
    listed = re.findall(r"^  make ([a-z-]+) +\S", run("make", "--no-print-directory", "help"), re.MULTILINE)
    assert sorted(listed) == sorted(targets[1].split())


def test_ci_runs_what_make_test_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "set -euo pipefail" in script
    assert script.splitlines()[-1] == "make test"


@pytest.mark.parametrize("command", ["make run", "make test"])
def test_readme_shows_the_command(command: str) -> None:
    assert command in (ROOT / "README.md").read_text()


def test_installed_version_is_the_one_in_pyproject() -> None:
    assert version("crossdock") == PROJECT["version"]


def test_changelog_has_a_place_for_what_is_next() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()


def test_license_is_mit() -> None:
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n\nCopyright (c) 2026 the crossdock developers\n")


def test_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    run(sys.executable, "-c", "from setuptools.build_meta import build_wheel; build_wheel('dist')", cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").iterdir()
    source = tmp_path / "src"
    expected = {path.relative_to(source).as_posix() for path in (source / "crossdock").rglob("*") if path.is_file()}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("crossdock/")}
    assert "crossdock/py.typed" in packed
    assert packed == expected


def test_no_text_names_a_place_on_a_machine() -> None:
    place = re.compile(r"(?<![\w.$/])/(?:root|home|Users|work)/\w|[a-z]:\\Users\\", re.IGNORECASE)
    found = [
        f"{name}:{number} {line.strip()}"
        for name, text in text_files().items()
        for number, line in enumerate(text.splitlines(), 1)
        if place.search(line)
    ]
    assert found == []
