import json
import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest

from ser.doctor import torch as doctor

FOUND = {"torch": "2.9", "cuda": [], "mps": False, "threads": 4, "built": None, "torchaudio": "2.9"}


@pytest.fixture
def torchaudio(tmp_path, monkeypatch):
    """A folder that passes for torchaudio with two compiled files."""
    (tmp_path / "lib").mkdir()
    for name in ("lib/_torchaudio.so", "lib/libtorchaudio.so", "__init__.py"):
        (tmp_path / name).touch()
    spec = ModuleSpec("torchaudio", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(doctor, "find_spec", lambda _: spec)
    return tmp_path


def look(program):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return list(doctor.check_torch(subprocess.Popen([sys.executable, "-c", program], **pipes)))


def test_setting_aside_moves_the_compiled_files_and_says_which(torchaudio):
    moved = doctor.set_extension_aside()
    assert [path.name for path in moved] == ["_torchaudio.so", "libtorchaudio.so"]
    assert all(path.parent == torchaudio / "lib" / "set-aside" and path.is_file() for path in moved)
    assert not list((torchaudio / "lib").glob("*.so")) and (torchaudio / "__init__.py").exists()
    assert doctor.set_extension_aside() == []


def test_a_sound_installation(torchaudio, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "DRIVER", tmp_path / "none")
    first, second = look(f"print({json.dumps(json.dumps(FOUND))})")
    assert first.status == second.status == "ok"
    assert "no GPU" in first.text and "4 threads" in first.text and second.text == "torchaudio 2.9"
    doctor.set_extension_aside()
    assert "set aside" in list(doctor.describe(FOUND))[1].text


def test_torch_that_does_not_import_is_an_error():
    (finding,) = look("raise ImportError('libx.so is missing')")
    assert finding.status == "error" and "libx.so is missing" in finding.text and finding.remedy


def test_torchaudio_that_does_not_load_names_the_remedy(torchaudio):
    broken = {key: value for key, value in FOUND.items() if key != "torchaudio"} | {"reason": "libcudart.so.13"}
    finding = list(doctor.describe(broken))[1]
    assert finding.status == "error" and "libcudart.so.13" in finding.text and "--fix" in finding.remedy
    doctor.set_extension_aside()
    assert "install torchaudio again" in list(doctor.describe(broken))[1].remedy, "--fix would change nothing"


def test_torch_that_takes_too_long_is_an_error(monkeypatch):
    monkeypatch.setattr(doctor, "PATIENCE", 0.05)
    (finding,) = look("import time; time.sleep(60)")
    assert finding.status == "error" and "0.05 s" in finding.text and finding.remedy


def test_torchaudio_that_is_not_installed_is_an_error(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    assert list(doctor.describe(FOUND))[1].status == "error"


def test_a_gpu_that_torch_cannot_use_is_a_warning(monkeypatch, tmp_path):
    (tmp_path / "version").touch()
    monkeypatch.setattr(doctor, "DRIVER", tmp_path / "version")
    without, with_cuda = (next(doctor.describe({**FOUND, "built": built})) for built in (None, "13.0"))
    assert without.status == with_cuda.status == "warning"
    assert "built without CUDA" in without.text and "cannot use it" in with_cuda.text
    assert next(doctor.describe({**FOUND, "cuda": ["NVIDIA H100"]})).status == "ok"


def test_opensmile_is_there_and_its_licence_is_told():
    finding = doctor.check_opensmile()
    assert finding.status == "ok" and "research" in finding.text
