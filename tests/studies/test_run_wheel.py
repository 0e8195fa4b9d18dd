"""``conf`` and ``experiments`` travel with the package: in a checkout beside it, in a wheel inside it."""

import importlib.util
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from ser import paths

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_is_told_to_carry_them():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried == {"conf": "ser/conf", "experiments": "ser/experiments"}
    for source in carried:
        assert (ROOT / source).is_dir() and any((ROOT / source).iterdir())


def test_the_folder_inside_the_package_comes_first(tmp_path, monkeypatch):
    package = tmp_path / "site" / "ser"
    package.mkdir(parents=True)
    (tmp_path / "site" / "conf").mkdir()
    monkeypatch.setattr(paths, "PACKAGE", package)
    assert paths.find_shipped("conf") == tmp_path / "site" / "conf"
    (package / "conf").mkdir()
    assert paths.find_shipped("conf") == package / "conf"


@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="building a wheel needs hatchling installed")
def test_a_built_wheel_holds_them_and_works(tmp_path):
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    for folder in ("conf", "experiments"):
        files = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        assert {f"ser/{path.relative_to(ROOT)}" for path in files} <= names
    code = "import ser.config, ser.paths; print(ser.paths.PACKAGE, ser.config.compose(['head=svm']).head.inner_folds)"
    said = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout.split() == [str(tmp_path / "site" / "ser"), "5"], said.stderr
